/** Hosts on which ranks of a run of ours are alive: what loads links or GPUs would slow them. */

import * as z from "zod";
import type { Look } from "./judge.ts";

const processes = z.object({ ours: z.number() });

export const aliveOn = (looks: readonly Look[]): readonly string[] =>
  looks.flatMap((look) => {
    const text = "probe" in look ? (look.probe.sections.processes?.out ?? "") : "";
    try {
      const found = processes.safeParse(JSON.parse(text));
      return found.success && found.data.ours > 0 ? [look.host.name] : [];
    } catch {
      return [];
    }
  });
