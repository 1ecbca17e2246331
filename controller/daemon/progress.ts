/** Whether bringing a host up still gets on: an upload over a slow line may take its time, standing still may not. */

import { fail } from "../../cluster/errors.ts";

/** The longest step that says nothing: starting an agent on a loaded host waits up to 10 s, the helper up to 30 s. */
const STILL_MS = 60_000;

export type Progress = {
  readonly step: (text: string) => void;
  /** Rejects with LINK_SILENT when nothing was said for STILL_MS, with NOT_WANTED once it is given up. */
  readonly stalled: Promise<never>;
  readonly giveUp: () => void;
  readonly end: () => void;
};

export function watchProgress(host: string): Progress {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined); // nobody need be waiting when it stalls
  let doing = "connecting";
  const stall = (): void => reject(fail("LINK_SILENT", { host, doing, seconds: STILL_MS / 1000 }));
  let timer = setTimeout(stall, STILL_MS);
  return {
    stalled: promise,
    step: (text) => {
      doing = text;
      clearTimeout(timer);
      timer = setTimeout(stall, STILL_MS);
    },
    giveUp: () => reject(fail("NOT_WANTED", { host })),
    end: () => clearTimeout(timer),
  };
}
