/** A drill in words: the question before it, the table after it. Pure. */

import { hostCount } from "../host-count.ts";
import type { RunSpec } from "../spec.ts";
import { ABOUT, type DrillFault, faultsOf, MUST } from "./faults.ts";
import { FIGURES } from "./figures.ts";

export type Drilled = {
  readonly fault: DrillFault;
  /** Whose it was. */
  readonly host: string | null;
  /** From the fault until the controller knew; null: it never had to. */
  readonly seenMs: number | null;
  /** Until all ranks took a step again, or until all hosts were heard again; null: they did not. */
  readonly againMs: number | null;
  /** What was not as it must be; null: all was. */
  readonly wrong: string | null;
};

export function announce(spec: RunSpec): readonly string[] {
  const kills = faultsOf(spec.launcher).map((fault) => ABOUT[fault].replace(/ is killed$/, ""));
  return [
    `this drill starts the bundled smoke trainer as ${spec.run} on ${hostCount(spec)} of the file, for about ${kills.length * 15 + 15} s, and kills, one after`,
    `another: ${kills.join(", ")}. It checks that training goes on by itself, stops its run and leaves nothing of it.`,
    "No cable, host, disk or process of another run is touched; GPUs that others use are shared with them for that time.",
  ];
}

const seconds = (ms: number | null): string => (ms === null ? "-" : `${(ms / 1000).toFixed(1)} s`);

/** Rows for a table: what was measured here, and what this project measured. */
export function rowsOf(drilled: readonly Drilled[]): readonly (readonly string[])[] {
  return [
    ["FAULT", "MUST", "CAME", "SEEN", "AGAIN", "(OURS)"],
    ...drilled.map(({ fault, host, seenMs, againMs, wrong }) => [
      `${ABOUT[fault]}${host === null ? "" : ` (${host})`}`,
      MUST[fault] === "restart" ? "train again" : "go on",
      wrong ?? "as it must",
      seconds(seenMs),
      seconds(againMs),
      `${seconds(FIGURES[fault].seenMs)}, ${seconds(FIGURES[fault].againMs)}`,
    ]),
  ];
}
