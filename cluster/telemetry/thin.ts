/** Many samples made one: numbers by the rule of their field, all else as it was last. */

import { DISK_NUMBERS, GPU_NUMBERS, HOST_NUMBERS, NET_NUMBERS, type NumberField, NVLINK_NUMBERS, type Thinning } from "./fields.ts";
import { applyPatch, diff } from "./patch.ts";
import type { Sample, SampleItem } from "./sample.ts";

type Map = Readonly<Record<string, unknown>>;

/** Samples over their time, one after the other; the last one's shape is that of the whole. */
export function fold(samples: readonly Sample[]): Sample | null {
  const last = samples.at(-1);
  if (last === undefined || samples.length === 1) return last ?? null;
  const byName = <K extends "gpus" | "nets" | "disks">(part: K, table: Readonly<Record<string, NumberField>>): Sample[K] =>
    Object.fromEntries(
      Object.entries(last[part]).map(([name, value]) => [
        name,
        foldNumbers(
          samples.flatMap((sample) => sample[part][name] ?? []),
          value,
          table,
        ),
      ]),
    ) as Sample[K];
  return {
    ...last,
    gpus: byName("gpus", { ...GPU_NUMBERS, ...NVLINK_NUMBERS }),
    nets: byName("nets", NET_NUMBERS),
    disks: byName("disks", DISK_NUMBERS),
    host: foldNumbers(
      samples.map(({ host }) => host),
      last.host,
      HOST_NUMBERS,
    ) as Sample["host"],
  };
}

/** A number that was known at some time of the span is known for it, unless the last one says that it is not there any more. */
function foldNumbers(all: readonly Map[], last: Map, table: Readonly<Record<string, NumberField>>): Map {
  const out: Record<string, unknown> = { ...last };
  for (const [name, { thin: how }] of Object.entries(table)) {
    if (typeof last[name] !== "number") continue;
    const values = all.flatMap((one) => (typeof one[name] === "number" ? [one[name]] : []));
    out[name] = foldValues(values, how);
  }
  return out;
}

function foldValues(values: readonly number[], how: Thinning): number {
  if (how === "mean") return Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * 100) / 100;
  return how === "max" ? Math.max(...values) : (values.at(-1) ?? 0);
}

/** A point per span of the clock, each with the number and time of its last sample. */
export function thin(items: readonly SampleItem[], spanMs: number): SampleItem[] {
  const out: SampleItem[] = [];
  let whole: Map = {};
  let told: Map | null = null;
  let span: { readonly at: number; readonly samples: Sample[]; last: SampleItem } | null = null;
  const end = (): void => {
    const made = span === null ? null : fold(span.samples);
    if (span === null || made === null) return;
    const { seq, at } = span.last;
    out.push(told === null ? { seq, at, full: made } : { seq, at, patch: diff(told, made) });
    told = made;
  };
  for (const item of items) {
    whole = item.full ?? applyPatch(whole, item.patch ?? {});
    const at = Math.floor(item.at / spanMs);
    if (span === null || span.at !== at) {
      end();
      span = { at, samples: [], last: item };
    }
    span.samples.push(whole as Sample);
    span.last = item;
  }
  end();
  return out;
}
