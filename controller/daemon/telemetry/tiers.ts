/**
 * Samples of one host of one run on the controller's disk, bounded: by the second for the last ten minutes, by ten seconds for two hours, by the minute for two
 * weeks. Each tier is files of a while, which begin with a whole sample and go on with what changed; the oldest are removed as new ones begin.
 */

import { appendFileSync, mkdirSync, readdirSync, readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { applyPatch, diff } from "../../../cluster/telemetry/patch.ts";
import { NOTHING, type Point, type Sample, type SampleItem, sampleItem, sampleSchema } from "../../../cluster/telemetry/sample.ts";
import { fold } from "../../../cluster/telemetry/thin.ts";

type TierSpec = { readonly prefix: string; readonly spanMs: number; readonly keepMs: number; readonly fileMs: number };
const MINUTE = 60_000;
const TIERS: readonly TierSpec[] = [
  { prefix: "s1", spanMs: 1000, keepMs: 10 * MINUTE, fileMs: 5 * MINUTE },
  { prefix: "s10", spanMs: 10_000, keepMs: 120 * MINUTE, fileMs: 60 * MINUTE },
  { prefix: "s60", spanMs: MINUTE, keepMs: 14 * 24 * 60 * MINUTE, fileMs: 24 * 60 * MINUTE },
];

export type Stored = { readonly seq: number; readonly at: number; readonly sample: Sample };

export type TierStore = {
  /** The last that is on disk; null: none. */
  readonly last: () => Stored | null;
  /** Those of the last minutes that come after number `seq`. */
  readonly recent: (seq: number) => readonly Stored[];
  /** Errors: the disk's. Then nothing of it counts as kept. */
  readonly push: (stored: Stored) => void;
};

/** Nothing is made until there is something to keep. */
export function openTiers(dir: string): TierStore {
  const [seconds, tens, minutes] = TIERS.map((spec) => openTier(dir, spec));
  if (seconds === undefined || tens === undefined || minutes === undefined) throw new RangeError("three tiers");
  const toMinutes = foldInto(minutes, MINUTE);
  const toTens = foldInto(tens, 10_000, toMinutes);
  // What a controller before us had not come to thin out.
  for (const stored of tens.read()) if (stored.at > (minutes.last()?.at ?? 0)) toMinutes(stored);
  for (const stored of seconds.read()) if (stored.at > (tens.last()?.at ?? 0)) toTens(stored);
  return {
    last: seconds.last,
    recent: (seq) => seconds.read().filter((stored) => stored.seq > seq),
    push: (stored) => {
      seconds.append(stored);
      toTens(stored);
    },
  };
}

/** null: none is there. */
export const readLast = (dir: string): Stored | null => readTier(dir, "s1", Number.POSITIVE_INFINITY).at(-1) ?? null;

/** Points of a host since a time, the finest that there are of each time, the oldest first. */
export function readPoints(dir: string, since: number): Point[] {
  let until = Number.POSITIVE_INFINITY;
  const found: Point[] = [];
  for (const { prefix, spanMs } of TIERS) {
    const stored = readTier(dir, prefix, since);
    const points = stored.filter(({ at }) => at >= since && at < until).map(({ at, sample }): Point => ({ at, spanMs, sample }));
    found.unshift(...points);
    until = Math.min(until, points[0]?.at ?? Number.POSITIVE_INFINITY);
    if ((stored[0]?.at ?? Number.POSITIVE_INFINITY) <= since) break; // what is coarser tells no more
  }
  return found;
}

function foldInto(tier: Tier, spanMs: number, then: (stored: Stored) => void = () => undefined): (stored: Stored) => void {
  let waiting: Stored[] = [];
  return (stored) => {
    const last = waiting.at(-1);
    if (last !== undefined && Math.floor(last.at / spanMs) !== Math.floor(stored.at / spanMs)) {
      const sample = fold(waiting.map((one) => one.sample));
      waiting = [];
      if (sample !== null) {
        tier.append({ ...last, sample });
        then({ ...last, sample });
      }
    }
    waiting.push(stored);
  };
}

type Tier = { readonly last: () => Stored | null; readonly read: () => readonly Stored[]; readonly append: (stored: Stored) => void };

function openTier(dir: string, { prefix, keepMs, fileMs }: TierSpec): Tier {
  const files = namesOf(dir, prefix).map(startOf);
  let last: Stored | null = readTier(dir, prefix, Number.POSITIVE_INFINITY).at(-1) ?? null;
  let file: number | null = null; // what was begun before us may end in half a line
  let told: Sample = NOTHING;

  const begin = (at: number): number => {
    const name = Math.max(at, (files.at(-1) ?? 0) + 1);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // A file holds nothing newer than the next one begins with.
    for (let next = files[1]; next !== undefined && next <= at - keepMs; next = files[1]) unlinkSync(pathOf(dir, prefix, files.shift() ?? 0));
    files.push(name);
    return name;
  };
  return {
    last: () => last,
    read: () => readTier(dir, prefix, 0),
    append: (stored) => {
      const isNew = file === null || stored.at >= file + fileMs || stored.at < (last?.at ?? 0) - fileMs;
      if (isNew || file === null) file = begin(stored.at);
      const { seq, at, sample } = stored;
      const item: SampleItem = isNew ? { seq, at, full: sample } : { seq, at, patch: diff(told, sample) };
      try {
        appendFileSync(pathOf(dir, prefix, file), `${JSON.stringify(item)}\n`, { mode: 0o600 });
      } catch (error) {
        file = null;
        throw error;
      }
      told = sample;
      last = stored;
    },
  };
}

const pathOf = (dir: string, prefix: string, start: number): string => join(dir, `${prefix}-${String(start).padStart(15, "0")}.jsonl`);
const startOf = (name: string): number => Number(/-(\d+)\./.exec(name)?.[1] ?? 0);

function namesOf(dir: string, prefix: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.startsWith(`${prefix}-`) && name.endsWith(".jsonl"))
      .sort();
  } catch {
    return [];
  }
}

/** From the file that holds `since` on; Infinity: the last file alone. What cannot be read ends its file. */
function readTier(dir: string, prefix: string, since: number): Stored[] {
  const names = namesOf(dir, prefix);
  const from = Math.max(
    0,
    names.findLastIndex((name) => startOf(name) <= since),
  );
  return names.slice(from).flatMap((name) => readStored(join(dir, name)));
}

function readStored(path: string): Stored[] {
  const found: Stored[] = [];
  let whole: Record<string, unknown> = {};
  try {
    for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
      const item = sampleItem.parse(JSON.parse(line));
      whole = item.full ?? applyPatch(whole, item.patch ?? {});
      found.push({ seq: item.seq, at: item.at, sample: whole as Sample });
    }
    const last = found.at(-1);
    if (last !== undefined) sampleSchema.parse(last.sample);
  } catch {
    // What comes after it counts for nothing.
  }
  return found;
}
