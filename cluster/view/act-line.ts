/** What a person did to a run, in a line. */

import type { Act } from "../run/act.ts";
import type { RunEvent } from "../run/events.ts";

export const actLine = ({ act, by }: RunEvent & { readonly type: "acted" }): string => `${by} asked for ${actWords(act)}`;

export function actWords(act: Act): string {
  switch (act.do) {
    case "restart":
      return "another attempt";
    case "exclude":
      return `the run to go on without ${act.host}`;
    case "take-spare":
      return `a spare in place of ${act.host}`;
    case "nccl-debug":
      return act.level === null ? "NCCL_DEBUG as the file says" : `NCCL_DEBUG=${act.level} in the attempts to come`;
  }
}
