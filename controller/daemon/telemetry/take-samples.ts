/** Takes the samples of one host of one run over its link: in their order, each once, checked, on disk before they are acknowledged. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NexaError } from "../../../cluster/errors.ts";
import { type RunRecord, samplesReply } from "../../../cluster/protocol.ts";
import { applyPatch } from "../../../cluster/telemetry/patch.ts";
import { sampleItem, sampleSchema } from "../../../cluster/telemetry/sample.ts";
import { addSample, NO_TOTALS, type Totals } from "../../../cluster/telemetry/totals.ts";
import type { AgentLink } from "../../reach/link.ts";
import { openTiers, type Stored, type TierStore } from "./tiers.ts";

/** Until a disk that took nothing is tried again. */
const HELD_MS = 30_000;
const SAVE_MS = 30_000;
/** Enough for a rate. */
const RECENT = 16;

export type HostTelemetryDeps = {
  readonly host: string;
  readonly dir: string;
  /** UUIDs of the GPUs that the run holds there now. */
  readonly gpus: () => ReadonlySet<string>;
  readonly notice: (text: string) => void;
  readonly onSample: (stored: Stored) => void;
};

export type HostTelemetry = {
  /** The agent has taken the run on over this link. */
  readonly begin: (link: AgentLink, record: RunRecord) => void;
  /** The last sample, and when it came; null: none did since this controller was started. */
  readonly heardAt: () => number | null;
  readonly last: () => Stored | null;
  /** Of the last seconds, as they came to this controller. */
  readonly recent: () => readonly Stored[];
  readonly totals: () => Totals;
  readonly close: () => void;
};

export function takeSamples(deps: HostTelemetryDeps): HostTelemetry {
  const { dir } = deps;
  let tiers: TierStore = openTiers(dir);
  let totals = readTotals(dir);
  let id = readText(join(dir, "id"));
  let base: Record<string, unknown> | null = null;
  let next = (tiers.last()?.seq ?? -1) + 1;
  let heardAt: number | null = null;
  let savedAt = Date.now();
  let recent: readonly Stored[] = [];
  let isOdd = false;
  let hasHeld = false;
  let held: NodeJS.Timeout | undefined;
  let leave: () => void = () => undefined;
  for (const { seq, at, sample } of tiers.recent(totals.seq)) totals = addSample(totals, seq, at, sample, deps.gpus());

  const begin = (link: AgentLink, record: RunRecord): void => {
    leave();
    if (link.welcome.samples !== true) return; // an older agent: it is upgraded when nothing runs on it
    const { run, epoch, controller } = record;
    leave = link.takeSamples(run, (items) => take(link, record, items));
    base = null;
    link.command({ do: "samples", run, epoch, controller, from: next, id }).then(
      (reply) => renumber(samplesReply.safeParse(reply).data?.id ?? id),
      (error: unknown) => {
        if (!(error instanceof NexaError)) console.error(error);
      },
    );
  };

  /** That agent has lost its samples, or is another one: it numbers anew. */
  const renumber = (now: string): void => {
    if (now === id) return;
    if (id !== "") totals = { ...totals, seq: -1 };
    id = now;
    next = 0;
  };

  const take = (link: AgentLink, record: RunRecord, items: readonly unknown[]): void => {
    if (held !== undefined) return;
    try {
      for (const item of items) takeOne(item);
      if (id !== readText(join(dir, "id")) && heardAt !== null) writeFileSync(join(dir, "id"), id, { mode: 0o600 });
      if (Date.now() - savedAt > SAVE_MS) save();
    } catch (error) {
      if (error instanceof RangeError) odd(error.message);
      else hold(link, record, error);
    }
    link.ack(record.run, undefined, undefined, next);
  };

  const takeOne = (raw: unknown): void => {
    const item = sampleItem.safeParse(raw);
    if (!item.success) throw new RangeError("it has no number");
    const { seq, at, full, patch } = item.data;
    const whole: Record<string, unknown> | null = full ?? (base === null ? null : applyPatch(base, patch ?? {}));
    if (whole === null) return; // of a sample that could not be read; the next whole one is a few minutes away
    const read = sampleSchema.safeParse(whole);
    base = read.success ? read.data : null;
    if (!read.success) {
      next = Math.max(next, seq + 1);
      throw new RangeError(`${read.error.issues[0]?.path.join(".") ?? ""}: ${read.error.issues[0]?.message ?? ""}`.slice(0, 200));
    }
    if (seq < next) return;
    const stored = { seq, at, sample: read.data };
    tiers.push(stored);
    next = seq + 1;
    heardAt = Date.now();
    recent = [...recent.slice(1 - RECENT), stored];
    totals = addSample(totals, seq, at, read.data, deps.gpus());
    deps.onSample(stored);
  };

  const odd = (why: string): void => {
    if (!isOdd) deps.notice(`its agent sends samples that cannot be (${why}); they are left out`);
    isOdd = true;
  };

  /** The disk of this machine: the agent keeps what was not acknowledged. */
  const hold = (link: AgentLink, record: RunRecord, error: unknown): void => {
    if (!hasHeld) deps.notice(`its samples cannot be kept on this machine (${error instanceof Error ? error.message : String(error)}); tried again later`);
    hasHeld = true;
    held = setTimeout(() => {
      held = undefined;
      tiers = openTiers(dir);
      next = (tiers.last()?.seq ?? -1) + 1;
      begin(link, record);
    }, HELD_MS);
  };

  const save = (): void => {
    savedAt = Date.now();
    writeFileSync(join(dir, "totals.json"), JSON.stringify(totals), { mode: 0o600 });
  };

  return {
    begin,
    heardAt: () => heardAt,
    last: () => tiers.last(),
    recent: () => recent,
    totals: () => totals,
    close: () => {
      clearTimeout(held);
      leave();
      try {
        if (heardAt !== null) save();
      } catch {
        // what was saved before stands
      }
    },
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(0, 64);
  } catch {
    return "";
  }
}

export function readTotals(dir: string): Totals {
  try {
    return { ...NO_TOTALS, ...(JSON.parse(readFileSync(join(dir, "totals.json"), "utf8")) as Totals) };
  } catch {
    return NO_TOTALS;
  }
}
