/** Which lines of a run are wanted: of whom, of which streams, how bad at least, and what was typed. */

import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { LogStream } from "../../cluster/viewer.ts";
import { ALL, type Filter } from "./filter.ts";
import { isAtLeast, type Level } from "./level.ts";

export type Choice = {
  readonly host: string | null;
  readonly rank: number | null;
  readonly streams: readonly LogStream[];
  readonly least: Level;
  readonly filter: Filter;
};

export const STREAMS: readonly LogStream[] = ["out", "err", "nccl", "launcher"];
/** What can be chosen, the first at the beginning: what NCCL tells of itself is a flood of its own. */
const STREAM_SETS: readonly (readonly LogStream[])[] = [["out", "err", "launcher"], STREAMS, ["out"], ["err"], ["nccl"], ["launcher"]];
const LEAST: readonly Level[] = ["debug", "info", "warning", "error"];

export const EVERYTHING: Choice = { host: null, rank: null, streams: STREAM_SETS[0] ?? STREAMS, least: "debug", filter: ALL };

const nextOf = <T>(all: readonly T[], isIt: (one: T) => boolean): T => all[(all.findIndex(isIt) + 1) % all.length] as T;

export const nextStreams = (choice: Choice): Choice => ({ ...choice, streams: nextOf(STREAM_SETS, (set) => set.join() === choice.streams.join()) });
export const nextLevel = (choice: Choice): Choice => ({ ...choice, least: nextOf(LEAST, (level) => level === choice.least) });

export const matcherOf =
  ({ host, rank, streams, least, filter }: Choice): Filter["matches"] =>
  (line, level) =>
    (host === null || line.host === host) &&
    (rank === null || line.rank === rank) &&
    streams.includes(line.stream) &&
    isAtLeast(level, least) &&
    filter.matches(line, level);

export const isNarrowed = ({ least, filter }: Choice): boolean => least !== "debug" || filter.text !== "";

export function choiceWords({ host, rank, streams, least, filter }: Choice): string {
  const who = rank !== null ? `rank ${rank}` : host !== null ? sanitiseWord(host) : "all ranks";
  const which = streams.join() === STREAM_SETS[0]?.join() ? [] : [streams.length === STREAMS.length ? "all streams" : `stream ${streams.join()}`];
  return [who, ...which, ...(least === "debug" ? [] : [`level>=${least}`]), ...(filter.text === "" ? [] : [`/${sanitiseWord(filter.text)}`])].join("  ");
}
