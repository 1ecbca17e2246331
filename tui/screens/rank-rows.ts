/** The ranks of an attempt as rows: of the present one with how they get on, of an earlier one with how they ended. */

import { assignRanks, ranksOf } from "../../cluster/ranks.ts";
import { describeExit } from "../../cluster/run/reduce.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import { withoutColour } from "../../cluster/sanitise.ts";
import { median } from "../../cluster/steps/pace.ts";
import { readLine } from "../../cluster/steps/read-line.ts";
import { afterLastReturn, displayLine } from "../../cluster/view/lines.ts";
import { rankWord } from "../../cluster/view/rank-word.ts";
import type { LogLine } from "../../cluster/viewer.ts";
import type { RunModel } from "../model.ts";

export type RankRow = {
  readonly rank: number;
  readonly host: string;
  readonly local: number;
  readonly pid: number | null;
  readonly state: string;
  /** Ended badly, or unknown. */
  readonly isBad: boolean;
  readonly isAlive: boolean;
  /** What it works in a step where it tells that, else the step. */
  readonly stepMs: number | null;
  /** Beside the median of all; null: not known. */
  readonly deviation: number | null;
  /** A finding names it, or the others wait for it. */
  readonly isAccused: boolean;
};

/** `attempt` null: the present one. */
export const rankRows = (run: RunModel, attempt: number | null): readonly RankRow[] => (attempt === null ? presentRows(run) : pastRows(run, attempt));

function presentRows({ state, stepMs, busyMs }: RunModel): readonly RankRow[] {
  const places = placesOf(state);
  const times = busyMs.size >= 2 ? busyMs : stepMs;
  const middle = times.size >= 2 ? median([...times.values()]) : null;
  const accused = new Set([
    ...(state.findings ?? []).flatMap((found) => (found.until === null && found.attempt === state.attempt && found.rank !== null ? [found.rank] : [])),
    ...(state.hang?.rank == null ? [] : [state.hang.rank]),
    ...(state.cause?.rank == null ? [] : [state.cause.rank]),
  ]);
  const known = new Set([...places.keys(), ...Object.keys(state.ranks).map(Number)]);
  return [...known]
    .sort((a, b) => a - b)
    .map((rank): RankRow => {
      const told = state.ranks[rank];
      const place = places.get(rank);
      const ms = times.get(rank) ?? null;
      const word = told === undefined ? (isOver(state) ? "was not started" : "waits to start") : rankWord(state, told);
      return {
        rank,
        host: told?.host ?? place?.host ?? "?",
        local: place?.local ?? 0,
        pid: told?.pid ?? null,
        state: word,
        isBad: word.startsWith("unknown") || (told?.exit != null && told.exit.code !== 0),
        isAlive: word === "running",
        stepMs: ms,
        deviation: ms === null || middle === null || middle === 0 ? null : (ms - middle) / middle,
        isAccused: accused.has(rank),
      };
    });
}

/** Where each rank belongs, also before it is started. */
function placesOf({ members, nproc, ranks }: RunState): ReadonlyMap<number, { readonly host: string; readonly local: number }> {
  if (nproc.length === members.length && members.length > 0) {
    const each = assignRanks(members.map((name, k) => ({ name, nproc: nproc[k] ?? 0 })));
    return new Map(each.flatMap((at) => ranksOf(at).map(({ rank, localRank }) => [rank, { host: at.host, local: localRank }] as const)));
  }
  const counts = new Map<string, number>();
  return new Map(
    Object.values(ranks)
      .sort((a, b) => a.rank - b.rank)
      .map(({ rank, host }) => {
        const local = counts.get(host) ?? 0;
        counts.set(host, local + 1);
        return [rank, { host, local }] as const;
      }),
  );
}

function pastRows({ events, state }: RunModel, attempt: number): readonly RankRow[] {
  const rows = new Map<number, RankRow>();
  const cause = state.past.find((one) => one.attempt === attempt)?.cause;
  for (const { event } of events) {
    if (!("attempt" in event) || event.attempt !== attempt) continue;
    if (event.type === "rank-started" && !rows.has(event.rank)) {
      const { rank, host, pid } = event;
      rows.set(rank, {
        ...{ rank, host, local: 0, pid, state: "ended with the attempt", isBad: false, isAlive: false },
        stepMs: null,
        deviation: null,
        isAccused: cause?.rank === rank,
      });
    }
    const row = event.type === "rank-exited" ? rows.get(event.rank) : undefined;
    if (event.type === "rank-exited" && row !== undefined) rows.set(event.rank, { ...row, state: describeExit(event), isBad: event.code !== 0 });
  }
  const counts = new Map<string, number>();
  // They were started in any order: local ranks are in that of the ranks.
  return [...rows.values()]
    .sort((a, b) => a.rank - b.rank)
    .map((row) => {
      const local = counts.get(row.host) ?? 0;
      counts.set(row.host, local + 1);
      return { ...row, local };
    });
}

/** A line and the step that it tells; lines are read once. */
const steps = new WeakMap<LogLine, number | null>();
const texts = new WeakMap<LogLine, string>();

export function stepIn(line: LogLine, pattern: RegExp | null): number | null {
  const known = steps.get(line);
  if (known !== undefined) return known;
  const step = line.gap === undefined ? (readLine(afterLastReturn(line.text), pattern).said?.step ?? null) : null;
  steps.set(line, step);
  return step;
}

export function wordsIn(line: LogLine): string {
  const known = texts.get(line);
  if (known !== undefined) return known;
  const text = withoutColour(displayLine(line.text.slice(0, 2000))).replace(/\t/g, " ");
  texts.set(line, text);
  return text;
}
