/** One question to nvidia-smi: rows, or why there are none. Fields that its driver refuses are left out, here and in what is asked afterwards. */

import { refusedField, withoutField } from "../../cluster/nvidia/fields.ts";
import { type GpuRow, readGpuTable } from "../../cluster/nvidia/gpu-row.ts";
import { smiTrouble } from "../../cluster/nvidia/problem.ts";
import type { GpuTool } from "../../cluster/telemetry/sample.ts";
import { type Answer, askProgram } from "./child.ts";

/** Why a program does not tell, or not any more. */
export type Trouble = Pick<GpuTool, "state"> & { readonly text: string };

export type Rows = {
  /** The fields that were answered. */
  readonly ask: readonly string[];
  readonly rows: readonly GpuRow[];
  /** What it says between the rows. */
  readonly texts: readonly string[];
  /** null: it answered. */
  readonly trouble: Trouble | null;
  /** Settles when the process is no more. */
  readonly gone: Promise<void>;
};

/** Of a driver that does not tell which fields it knows: as many refusals as there are fields. */
const REFUSALS_MAX = 40;

export const csvOf = (ask: readonly string[]): readonly string[] => [`--query-gpu=${ask.join(",")}`, "--format=csv,noheader,nounits"];

export async function askGpus(program: string, ask: readonly string[], limitMs: number, closing: AbortSignal, refusals = 0): Promise<Rows> {
  const answer = await askProgram(program, csvOf(ask), limitMs, closing);
  const refused = refusedField(`${answer.out}\n${answer.err}`);
  const left = refused === null || refusals > REFUSALS_MAX ? null : withoutField(ask, refused);
  if (left !== null) return askGpus(program, left, limitMs, closing, refusals + 1);
  const { rows, texts } = readGpuTable(answer.out, ask);
  return { ask, rows, texts, trouble: rows.length > 0 ? null : troubleOf(answer), gone: answer.gone };
}

export function troubleOf({ cut, out, err, code }: Answer): Trouble | null {
  if (cut === "late") return { state: "hung", text: "it does not answer" };
  if (cut === "long") return { state: "flooding", text: "it says more than any number of GPUs has to say" };
  const trouble = smiTrouble(out, err, code);
  return trouble === null ? null : { state: "failed", text: trouble.says };
}

/** No GPU answers, though none is known to be lost. */
export const isDead = (rows: readonly GpuRow[]): boolean => rows.length > 0 && rows.every(({ down }) => down === "unknown");
