/** What the first screen shows of a host: how it does in a word, its ranks, its GPUs beside those of the others. */

import { type HostState, hostsOf, isOver, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { withoutHost } from "../../cluster/view/about-host.ts";
import { hostStep } from "../../cluster/view/host-line.ts";
import { gpusOf, type HostReading, isStale } from "../../cluster/view/host-telemetry.ts";
import { needsAuth } from "../../cluster/view/unseen.ts";
import type { Concern } from "../concerns.ts";
import { rankSpan, shortSpan } from "../format.ts";
import type { Tone } from "../line.ts";
import type { RunModel } from "../model.ts";

/** `isOdd`: it differs from its peers, or a finding names it. */
export type GpuCell = { readonly use: number | null; readonly isOdd: boolean };

export type HostRow = {
  readonly name: string;
  readonly address: string;
  readonly word: string;
  readonly tone: Tone;
  /** Nothing is the matter with it. */
  readonly isFine: boolean;
  /** What it does just now, in a sentence; "": the columns say it. */
  readonly doing: string;
  readonly firstRank: number;
  readonly ranks: string;
  readonly gpus: readonly GpuCell[];
  /** Mean, percent; null: not known. */
  readonly use: number | null;
  readonly memoryGiB: number | null;
  readonly memoryTotalGiB: number | null;
  readonly kilowatts: number | null;
  readonly hottestC: number | null;
  readonly cpuUse: number | null;
  readonly hostMemoryGiB: number | null;
  /** Gbit/s. */
  readonly received: number | null;
  readonly sent: number | null;
  readonly ageMs: number | null;
};

/** So many percent below the middle of all GPUs is no wave. */
const ODD = 30;

export const isComingUp = ({ phase }: RunState): boolean => phase === "connecting" || phase === "preparing" || phase === "arming" || phase === "launching";

export function hostRows(run: RunModel, concerns: readonly Concern[], now: number): readonly HostRow[] {
  const { state } = run;
  const readings = new Map(run.readings.map((reading) => [reading.host, reading]));
  const middle = state.phase === "running" ? middleUse(run.readings) : null;
  const oddGpus = new Set(concerns.flatMap(({ gpu }) => (gpu === null ? [] : [gpu])));
  const named = new Set(concerns.flatMap(({ host }) => (host === null ? [] : [host])));
  const ranks = ranksByHost(state);
  return hostsOf(state).map((host) => {
    const reading = readings.get(host.name);
    const numbers = numbersOf(reading, middle, oddGpus);
    const [word, tone] = wordOf(state, host, now);
    const own = ranks.get(host.name) ?? [];
    const address = sanitiseWord(state.spec.hosts.find(({ name }) => name === host.name)?.address ?? "");
    return {
      name: sanitiseWord(host.name),
      address,
      word,
      tone,
      isFine:
        (tone === "good" || tone === "plain") &&
        !named.has(host.name) &&
        !numbers.gpus.some(({ isOdd }) => isOdd) &&
        (reading === undefined || !isStale(reading)),
      doing: isComingUp(state) ? sanitiseWord(stepOf(run, host)) : "",
      firstRank: own[0] ?? Number.POSITIVE_INFINITY,
      ranks: rankSpan(own),
      ...numbers,
    };
  });
}

function stepOf({ state, doing }: RunModel, host: HostState): string {
  const step = host.stage === "waiting" || host.stage === "connected" ? doing.get(host.name) : undefined;
  return withoutHost(host.name, step ?? hostStep(state, host));
}

function ranksByHost({ ranks, members, nproc }: RunState): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  let first = 0;
  for (const [k, name] of members.entries()) {
    const count = nproc[k] ?? 0;
    found.set(
      name,
      Array.from({ length: count }, (_, r) => first + r),
    );
    first += count;
  }
  if (first > 0) return found;
  for (const { rank, host } of Object.values(ranks)) found.set(host, [...(found.get(host) ?? []), rank]);
  return found;
}

/** What people look for first: is it there, and does it work. */
export function wordOf(state: RunState, host: HostState, now: number): readonly [string, Tone] {
  if (host.lost !== null) return ["lost", "bad"];
  if (isOver(state)) return host.receipt === "unknown" ? ["owes", "warn"] : host.problem !== null ? ["failed", "bad"] : ["ended", "dim"];
  if (host.stage === "refused") return ["refused", "bad"];
  if (host.stage === "waiting") return ["reaching", "warn"];
  if (needsAuth(host)) return ["log in", "warn"];
  if (!host.seen) return [host.unseenAt === null ? "silent" : `silent ${shortSpan(now - host.unseenAt)}`, "warn"];
  if (host.problem !== null) return ["failed", "bad"];
  if (state.attempt > 0 && !state.members.includes(host.name)) return [host.excluded === undefined ? "spare" : "excluded", "dim"];
  if (state.phase === "running") return host.stage === "launched" ? (state.hang === null ? ["running", "good"] : ["hangs", "bad"]) : ["ended", "plain"];
  if (state.phase === "stopping" || state.phase === "recovering" || state.phase === "draining")
    return host.receipt === null && host.mayRun ? ["ending", "warn"] : ["stopped", "dim"];
  return STAGE_WORDS[host.stage] ?? ["ended", "plain"];
}

const STAGE_WORDS: Partial<Record<HostState["stage"], readonly [string, Tone]>> = {
  connected: ["ready", "good"],
  prepared: ["prepared", "good"],
  armed: ["armed", "good"],
  launched: ["started", "good"],
};

type Numbers = Pick<
  HostRow,
  "gpus" | "use" | "memoryGiB" | "memoryTotalGiB" | "kilowatts" | "hottestC" | "cpuUse" | "hostMemoryGiB" | "received" | "sent" | "ageMs"
>;

function numbersOf(reading: HostReading | undefined, middle: number | null, odd: ReadonlySet<string>): Numbers {
  const sample = reading === undefined || isStale(reading) ? null : reading.sample;
  const lines = reading?.sample == null ? [] : gpusOf(reading.sample);
  const known = (values: readonly (number | undefined)[]): number[] => values.filter((value) => value !== undefined);
  const gpus = lines.map(({ uuid, gpu }): GpuCell => {
    const use = sample === null ? null : (gpu.use ?? null);
    return { use, isOdd: sample !== null && (odd.has(uuid) || gpu.down !== undefined || (use !== null && middle !== null && use < middle - ODD)) };
  });
  const of = (values: readonly number[], fold: (values: readonly number[]) => number): number | null =>
    sample === null || values.length === 0 ? null : fold(values);
  const most = (values: readonly number[]): number => Math.max(...values);
  const rates = sample === null ? [] : Object.values(reading?.rates ?? {});
  const gbits = (pick: (rate: { readonly rx: number; readonly tx: number }) => number): number | null =>
    rates.length === 0 ? null : (rates.reduce((sum, rate) => sum + pick(rate), 0) * 8) / 1e9;
  const { memoryTotalBytes, memoryAvailableBytes, cpuUse } = sample?.host ?? {};
  return {
    gpus,
    use: of(known(gpus.map(({ use }) => use ?? undefined)), (values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    memoryGiB: of(known(lines.map(({ gpu }) => gpu.memoryUsedMiB)), most) === null ? null : most(known(lines.map(({ gpu }) => gpu.memoryUsedMiB))) / 1024,
    memoryTotalGiB:
      of(known(lines.map(({ gpu }) => gpu.memoryTotalMiB)), most) === null ? null : most(known(lines.map(({ gpu }) => gpu.memoryTotalMiB))) / 1024,
    kilowatts: of(known(lines.map(({ gpu }) => gpu.powerW)), (values) => values.reduce((sum, value) => sum + value, 0) / 1000),
    hottestC: of(known(lines.map(({ gpu }) => gpu.temperatureC)), most),
    cpuUse: cpuUse ?? null,
    hostMemoryGiB: memoryTotalBytes === undefined || memoryAvailableBytes === undefined ? null : (memoryTotalBytes - memoryAvailableBytes) / 2 ** 30,
    received: gbits(({ rx }) => rx),
    sent: gbits(({ tx }) => tx),
    ageMs: reading?.ageMs ?? null,
  };
}

function middleUse(readings: readonly HostReading[]): number | null {
  const all = readings
    .flatMap((reading) => (reading.sample === null || isStale(reading) ? [] : gpusOf(reading.sample).flatMap(({ gpu }) => gpu.use ?? [])))
    .sort((a, b) => a - b);
  return all[Math.floor(all.length / 2)] ?? null;
}
