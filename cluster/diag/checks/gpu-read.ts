/** Reading what nvidia-smi told of a host's GPUs inside a judge; what is cut, refused or not understood ends it with the reason. */

import * as z from "zod";
import type { Lack, Reading } from "../../nvidia/cell.ts";
import { type GpuRow, numberOf, readGpuTable, textOf as textCell } from "../../nvidia/gpu-row.ts";
import { type SmiTrouble, smiTrouble } from "../../nvidia/problem.ts";
import type { HostProbe, Judgement } from "../check.ts";
import { CannotSay, cannotSay, ended, jsonOf, notLooked, pass, said } from "../read.ts";

const answer = z.object({ code: z.number(), out: z.string(), err: z.string(), ms: z.number() });
export type Answer = z.infer<typeof answer>;

/** A section of python/probe_gpu.py. Throws CannotSay. */
export function told<T>(probe: HostProbe, name: string, shape: z.ZodType<T>): T {
  const { code, err } = ended(probe, name);
  if (code === 0) return jsonOf(probe, name, shape);
  const why = said(err).replace(/^\w+Error: /, "");
  throw /is not there$|^only root can/.test(why) ? notLooked(why) : cannotSay(`${name}: ${why || `exit status ${code}`}`);
}

export const answerOf = (probe: HostProbe, name: string): Answer => told(probe, name, answer);

export type Gpus = { readonly rows: readonly GpuRow[]; readonly trouble: SmiTrouble | null; readonly ms: number };

/** At least one row, each whole. Throws CannotSay. */
export function gpusOf(probe: HostProbe): Gpus {
  const { out, err, code, ms } = answerOf(probe, "smi_gpus");
  const trouble = smiTrouble(out, err, code);
  const { rows } = readGpuTable(out);
  if (rows.length === 0) throw cannotSay(trouble?.says ?? "nvidia-smi gave no row that can be read");
  if (!out.endsWith("\n")) throw cannotSay("nvidia-smi's answer is cut");
  return { rows, trouble, ms };
}

export const nameOf = (row: GpuRow): string => {
  const index = numberOf(row, "index");
  return "v" in index ? `GPU ${index.v}` : "a GPU";
};

export function identityOf(row: GpuRow): { readonly index: string; readonly uuid: string; readonly busId: string } {
  const index = numberOf(row, "index");
  const [uuid, busId] = [textCell(row, "uuid"), textCell(row, "pci.bus_id")];
  return { index: "v" in index ? String(index.v) : "", uuid: "v" in uuid ? uuid.v : "", busId: "v" in busId ? busId.v : "" };
}

const LACKS: Readonly<Record<Lack, string>> = {
  unsupported: "this GPU does not tell",
  deprecated: "this driver does not tell any more",
  "not-asked": "this driver does not know the field",
  denied: "this user may not see it",
  "not-found": "not found",
  unknown: "the driver fails to read it",
  lost: "the GPU is lost",
  "reset-required": "the GPU requires a reset",
  empty: "empty",
  garbled: "what nvidia-smi says is not understood",
  down: "the GPU does not answer",
};
/** Nobody is at fault for these; the others are an error of the look. */
const NORMAL: readonly Lack[] = ["unsupported", "deprecated", "not-asked", "denied", "down"];

/** The value. Throws CannotSay: a skip where GPU or driver have none, an error where it should be there. */
export function known<T>(reading: Reading<T>, what: string): T {
  if ("v" in reading) return reading.v;
  const why = `${what}: ${LACKS[reading.na]}`;
  throw NORMAL.includes(reading.na) ? notLooked(why) : cannotSay(why);
}

export const valueOr = <T>(reading: Reading<T>, other: T): T => ("v" in reading ? reading.v : other);

export const DOWN: Readonly<Record<NonNullable<GpuRow["down"]>, string>> = {
  lost: "is lost",
  "reset-required": "requires a reset",
  unknown: "answers nothing but errors",
};

/** One judgement for all GPUs that are well, one for each that is not; a GPU that is down is judged by gpu.count or gpu.recovery_action alone. */
export function eachGpu(probe: HostProbe, judge: (row: GpuRow) => Judgement): readonly Judgement[] {
  const { rows } = gpusOf(probe);
  const judged = rows.map((row): Judgement => {
    const { index, uuid } = identityOf(row);
    const own = { ...(uuid === "" ? {} : { gpu: uuid }) };
    const named = (judgement: Judgement): Judgement => ({ ...judgement, ...own, words: { index, uuid, ...judgement.words } });
    if (row.down !== null) return { status: "skip", observed: `it ${DOWN[row.down]}`, ...own, words: { index, uuid } };
    try {
      return named(judge(row));
    } catch (thrown) {
      if (thrown instanceof CannotSay) return named({ status: thrown.status, observed: thrown.message });
      throw thrown;
    }
  });
  const groups = Map.groupBy(judged, ({ status, observed }) =>
    status === "pass" ? "pass" : status === "skip" || status === "error" ? `${status} ${observed}` : observed,
  );
  return [...groups.values()].flatMap((group): readonly Judgement[] => {
    const [first] = group;
    if (first === undefined) return [];
    const seen = group.map(({ observed }) => observed);
    if (first.status === "pass") return [pass(together(seen, rows.length))];
    if (group.length === rows.length && rows.length > 1 && first.status !== "fail" && first.status !== "warn")
      return [{ status: first.status, observed: first.observed }];
    if (group.length > 1)
      return [
        {
          ...first,
          observed: `${indices(group)}: ${first.observed}`,
          words: { ...first.words, index: group.map(({ words }) => words?.index ?? "").join(",") },
        },
      ];
    return [{ ...first, observed: `GPU ${first.words?.index ?? "?"}: ${first.observed}` }];
  });
}

const indices = (group: readonly Judgement[]): string => `GPUs ${group.map(({ words }) => words?.index ?? "?").join(", ")}`;

/** "8 GPUs: 41 °C, 43 °C and others" */
function together(values: readonly string[], all: number): string {
  const unique = [...new Set(values)];
  const words = unique.length <= 3 ? unique.join("; ") : `${unique.slice(0, 2).join("; ")} and the like`;
  const count = values.length === all ? `${all} GPU${all === 1 ? "" : "s"}` : `${values.length} of ${all} GPUs`;
  return `${count}: ${words}`;
}
