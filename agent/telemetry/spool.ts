/**
 * Samples of this host on its disk, numbered, so that they outlive the agent and a controller that is away for days: files of a few minutes, each beginning with
 * a whole sample. Beyond the quota the oldest are thinned to a point a minute, then dropped. Nothing is forced to the disk: a crash of the host costs seconds.
 */

import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { applyPatch, diff } from "../../cluster/telemetry/patch.ts";
import { NOTHING, type Sample, type SampleItem, sampleItem } from "../../cluster/telemetry/sample.ts";
import { thin } from "../../cluster/telemetry/thin.ts";

const QUOTA = 32 * 1024 * 1024;
/** Samples in a file. */
const FILE_SAMPLES = 300;
const THINNED_MS = 60_000;

type Segment = { readonly first: number; readonly isThin: boolean; bytes: number };

export type Spool = {
  /** Changes when samples were lost: numbers begin anew. */
  readonly id: string;
  /** The number of the next sample. */
  readonly next: () => number;
  readonly push: (at: number, sample: Sample) => SampleItem;
  /** From the first that is there at or after `from`; the first is whole. Empty: there is none. */
  readonly read: (from: number, most: number) => Promise<SampleItem[]>;
};

const nameOf = ({ first, isThin }: Pick<Segment, "first" | "isThin">): string => `${String(first).padStart(12, "0")}${isThin ? ".thin" : ""}.jsonl`;

export function openSpool(dir: string, log: (text: string) => void, quota = QUOTA): Spool {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const id = openId(dir);
  const segments: Segment[] = readdirSync(dir)
    .flatMap((name) => {
      const found = /^(\d{12})(\.thin)?\.jsonl$/.exec(name);
      return found === null ? [] : [{ first: Number(found[1]), isThin: found[2] !== undefined, bytes: statSync(join(dir, name)).size }];
    })
    .sort((a, b) => a.first - b.first);
  let next = nextOf(dir, segments);
  let open: Segment | null = null; // what an agent before us began is left as it is
  let count = 0;
  let last: Sample = NOTHING;
  let isFull = false;

  const write = (item: SampleItem, segment: Segment): void => {
    const line = `${JSON.stringify(item)}\n`;
    try {
      appendFileSync(join(dir, nameOf(segment)), line, { mode: 0o600 });
      segment.bytes += Buffer.byteLength(line);
      isFull = false;
    } catch (error) {
      open = null; // what it has may be half a line
      if (segment.bytes === 0) segments.splice(segments.indexOf(segment), 1);
      if (!isFull) log(`samples cannot be kept: ${String(error)}`);
      isFull = true;
    }
  };

  const keepWithin = (): void => {
    const size = (): number => segments.reduce((sum, { bytes }) => sum + bytes, 0);
    for (let k = 0; size() > quota && k < segments.length - 1; k += 1) {
      const segment = segments[k];
      if (segment !== undefined && !segment.isThin) segments[k] = thinOut(dir, segment);
    }
    while (size() > quota && segments.length > 1) {
      const oldest = segments.shift();
      if (oldest !== undefined) unlinkSync(join(dir, nameOf(oldest)));
    }
  };

  return {
    id,
    next: () => next,
    push: (at, sample) => {
      const isNew: boolean = open === null || count >= FILE_SAMPLES;
      const item: SampleItem = isNew ? { seq: next, at, full: sample } : { seq: next, at, patch: diff(last, sample) };
      if (isNew) {
        try {
          keepWithin();
        } catch (error) {
          log(`old samples stay: ${String(error)}`);
        }
        open = { first: next, isThin: false, bytes: 0 };
        count = 0;
        segments.push(open);
      }
      if (open !== null) write(item, open);
      count += 1;
      next += 1;
      last = sample;
      return item;
    },
    read: async (from, most) => {
      const at = segments.findLastIndex(({ first }) => first <= from);
      for (const segment of segments.slice(Math.max(0, at))) {
        const found = startAt(parseItems(await readFile(join(dir, nameOf(segment)), "utf8").catch(() => "")), from);
        if (found.length > 0) return found.slice(0, most);
      }
      return [];
    },
  };
}

function openId(dir: string): string {
  const path = join(dir, "id");
  try {
    return readFileSync(path, "utf8");
  } catch {
    const id = randomBytes(8).toString("hex");
    try {
      writeFileSync(path, id, { mode: 0o600 });
    } catch {
      // no room: a new one each time
    }
    return id;
  }
}

function nextOf(dir: string, segments: readonly Segment[]): number {
  const last = segments.at(-1);
  if (last === undefined) return 0;
  const items = parseItems(readFileSync(join(dir, nameOf(last)), "utf8"));
  return Math.max(last.first, items.at(-1)?.seq ?? 0) + 1;
}

/** Up to the first line that is not whole. */
export function parseItems(text: string): SampleItem[] {
  const items: SampleItem[] = [];
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    if (line === "") continue;
    try {
      items.push(sampleItem.parse(JSON.parse(line)));
    } catch {
      break;
    }
  }
  return items;
}

/** Those from `from` on, the first made whole. */
function startAt(items: readonly SampleItem[], from: number): SampleItem[] {
  const at = items.findIndex(({ seq }) => seq >= from);
  if (at < 0) return [];
  const first = items[at];
  if (first === undefined) return [];
  const whole = items.slice(0, at + 1).reduce((sample, { full, patch }) => full ?? applyPatch(sample, patch ?? {}), {} as Record<string, unknown>);
  return [{ seq: first.seq, at: first.at, full: whole }, ...items.slice(at + 1)];
}

/** The same file with a point a minute. */
function thinOut(dir: string, segment: Segment): Segment {
  const from = join(dir, nameOf(segment));
  const thinned = thin(parseItems(readFileSync(from, "utf8")), THINNED_MS);
  const text = thinned.map((item) => `${JSON.stringify(item)}\n`).join("");
  const made = { first: segment.first, isThin: true, bytes: Buffer.byteLength(text) };
  const to = join(dir, nameOf(made));
  writeFileSync(`${to}.new`, text, { mode: 0o600 });
  renameSync(`${to}.new`, to);
  unlinkSync(from);
  return made;
}
