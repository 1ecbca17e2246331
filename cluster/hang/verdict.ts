/** What a look at all ranks says in one sentence: who differs and where it is, and who waits for it. Pure. */

import { brokenWays, provenBy } from "../cause/broken-ways.ts";
import type { Look } from "./look.ts";
import { isWaiting, type Place, placeOf } from "./place.ts";

export type RankPlace = { readonly rank: number; readonly host: string; readonly place: Place };
/** Ranks that are at the same place. */
export type Group = { readonly place: Place; readonly members: readonly RankPlace[]; readonly cpus: number };

export type HangReport = {
  readonly text: string;
  /** The rank that the others wait for, where there is one. */
  readonly rank: number | null;
  readonly host: string | null;
  /** Those that differ first, then by size. */
  readonly groups: readonly Group[];
  readonly evidence: readonly string[];
};

/** Groups told in the sentence; the table has all. */
const TOLD = 3;

export function explainLook(look: Look): HangReport {
  const groups = groupsOf(look);
  const waiting = groups.filter(({ place }) => isWaiting(place));
  const others = groups.filter(({ place }) => !isWaiting(place));
  const behind = behindOf(look);
  const { text, culprit, host = culprit?.host ?? null } = sentence(look, waiting, others, behind);
  return {
    text,
    rank: culprit?.rank ?? null,
    host,
    groups: [...others, ...waiting],
    evidence: evidenceOf(look, [...others, ...waiting], behind),
  };
}

function groupsOf(look: Look): Group[] {
  const groups = new Map<string, RankPlace[]>();
  for (const rank of look.ranks) {
    const place = placeOf(rank);
    const key = `${place.kind}\n${place.what}\n${place.where}`;
    groups.set(key, [...(groups.get(key) ?? []), { rank: rank.rank, host: rank.host, place }]);
  }
  return [...groups.values()]
    .map((members): Group => {
      const sorted = members.sort((a, b) => a.rank - b.rank);
      const cpus = look.ranks.filter(({ rank }) => sorted.some((one) => one.rank === rank)).reduce((sum, { main }) => sum + (main?.cpus ?? 0), 0);
      return { place: sorted[0]?.place as Place, members: sorted, cpus: cpus / sorted.length };
    })
    .sort((a, b) => b.members.length - a.members.length || (a.members[0]?.rank ?? 0) - (b.members[0]?.rank ?? 0));
}

type Said = { readonly text: string; readonly culprit: RankPlace | null; readonly host?: string | null };

function sentence(look: Look, waiting: readonly Group[], others: readonly Group[], behind: ReadonlyMap<number, number>): Said {
  const [most] = waiting;
  const [odd] = others;
  if (odd === undefined && most === undefined) return { text: `no rank could be looked at: ${whySilent(look)}`, culprit: null };
  if (odd !== undefined && most !== undefined) {
    const told = [...others].sort((a, b) => a.members.length - b.members.length);
    const count = others.reduce((sum, { members }) => sum + members.length, 0);
    const text = `${list(told, behind)}; ${rest(waiting, count)}`;
    return { text, culprit: told[0]?.members[0] ?? null };
  }
  if (odd !== undefined) {
    if (others.length === 1) return { text: subject(odd, look, behind), culprit: odd.members.length === 1 ? (odd.members[0] ?? null) : null };
    return { text: `no rank waits for another: ${list(others, behind)}`, culprit: null };
  }
  return allWaiting(look, waiting, behind);
}

function allWaiting(look: Look, waiting: readonly Group[], behind: ReadonlyMap<number, number>): Said {
  const [most] = waiting as readonly [Group, ...Group[]];
  const everyone = waiting.flatMap(({ members }) => members);
  const late = everyone.filter(({ rank }) => (behind.get(rank) ?? 0) > 0);
  const [last] = late;
  if (last !== undefined && late.length < everyone.length) {
    const text = `${list(groupsWith(waiting, late), behind)}; the others are ahead of ${late.length === 1 ? "it" : "them"} and wait`;
    return { text, culprit: last };
  }
  const [broken] = brokenWays(look.ways);
  if (broken !== undefined) {
    const where = waiting.length === 1 ? `${subject(most, look, behind)} and none gets on` : `the ranks wait for one another: ${list(waiting, behind)}`;
    return { text: `${broken.text}; ${where}`, culprit: null, host: broken.host };
  }
  if (waiting.length > 1) {
    const minority = waiting.at(-1)?.members[0] ?? null;
    return { text: `the ranks wait for one another at different places: ${list(waiting, behind)}`, culprit: minority };
  }
  if (look.silent.length > 0) return { text: `${subject(most, look, behind)}; ${whySilent(look)}, so what they wait for may be there`, culprit: null };
  const hosts = new Set(everyone.map(({ host }) => host)).size;
  const suspect =
    hosts > 1 ? "the network between the hosts is suspect" : "what carries data between them is suspect (shared memory, GPU links), or a rank outside this run";
  return { text: `${subject(most, look, behind)} and none gets on: ${suspect}`, culprit: null };
}

const groupsWith = (groups: readonly Group[], some: readonly RankPlace[]): Group[] =>
  groups.map((group) => ({ ...group, members: group.members.filter((one) => some.includes(one)) })).filter(({ members }) => members.length > 0);

function list(groups: readonly Group[], behind: ReadonlyMap<number, number>): string {
  const told = groups.slice(0, TOLD).map((group) => `${whoAre(group.members)} ${verb(group)}${lag(group, behind)}`);
  const more = groups.slice(TOLD).reduce((sum, { members }) => sum + members.length, 0);
  return told.join(", ") + (more > 0 ? `, and ${more} more ${more === 1 ? "is" : "are"} elsewhere` : "");
}

/** "the other 7 wait for it in all_reduce (train.py:120)" */
function rest(waiting: readonly Group[], oddCount: number): string {
  const count = waiting.reduce((sum, { members }) => sum + members.length, 0);
  const [one] = waiting[0]?.members ?? [];
  const who = count === 1 && one !== undefined ? `rank ${one.rank} on ${one.host} waits` : `the other ${count} wait`;
  const where = waiting.slice(0, TOLD).map(({ place, members }) => `${spell(place)}${waiting.length > 1 ? ` (${whoAre(members)})` : ""}`);
  return `${who} for ${oddCount === 1 ? "it" : "them"} in ${where.join(" and ")}`;
}

const spell = ({ what, where }: Place): string => (what === "" || where === "" ? what || where : `${what} (${where})`);

/** The only group that there is. */
function subject(group: Group, look: Look, behind: ReadonlyMap<number, number>): string {
  const { members } = group;
  if (members.length === 1) return `${whoAre(members)} ${verb(group)}${lag(group, behind)}`;
  const all = look.silent.length === 0 ? `all ${members.length} ranks` : `${members.length} ranks`;
  return `${all} ${verb(group)}`;
}

/** Of one rank as it is; of many in the plural. */
const verb = ({ place, members }: Group): string =>
  members.length === 1
    ? place.text
    : place.text
        .replace(/^is not there/, "are not there")
        .replace(/^is /, "are ")
        .replace(/^waits /, "wait ")
        .replace(/^sleeps/, "sleep")
        .replace(/^uses /, "use ")
        .replace(/^has ended, and its parent has/, "have ended, and their parents have")
        .replace(/\bits (stack|GPU|data loader)\b/, "their $1")
        .replace(/lets it go on/, "lets them go on");

function lag({ members }: Group, behind: ReadonlyMap<number, number>): string {
  const most = Math.max(0, ...members.map(({ rank }) => behind.get(rank) ?? 0));
  return most === 0 ? "" : `, ${most} ${most === 1 ? "collective" : "collectives"} behind`;
}

export function whoAre(members: readonly RankPlace[]): string {
  const hosts = [...new Set(members.map(({ host }) => host))];
  const ranks = rangesOf(members.map(({ rank }) => rank));
  return `${members.length === 1 ? "rank" : "ranks"} ${ranks} on ${hosts.length > TOLD ? `${hosts.length} hosts` : hosts.join(", ")}`;
}

/** 0,2-4 */
export function rangesOf(sorted: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const n of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === n - 1) last[1] = n;
    else ranges.push([n, n]);
  }
  return ranges.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(",");
}

/** Rank → how many collectives it is behind the foremost of a process group, by torch's flight recorder; only where it tells of at least two ranks. */
function behindOf(look: Look): ReadonlyMap<number, number> {
  const foremost = new Map<string, { sequence: number; count: number }>();
  for (const { group, sequence } of look.ranks.flatMap(({ collectives }) => collectives)) {
    const known = foremost.get(group) ?? { sequence: 0, count: 0 };
    foremost.set(group, { sequence: Math.max(known.sequence, sequence), count: known.count + 1 });
  }
  const behind = new Map<number, number>();
  for (const { rank, collectives } of look.ranks) {
    const lags = collectives.map(({ group, sequence }) => {
      const most = foremost.get(group);
      return most === undefined || most.count < 2 ? 0 : most.sequence - sequence;
    });
    behind.set(rank, Math.max(0, ...lags));
  }
  return behind;
}

const whySilent = ({ silent }: Look): string =>
  silent.length === 0 ? "there is none" : `${silent.map(({ host, why }) => `${host} could not be asked (${why})`).join(", ")}`;

function evidenceOf(look: Look, groups: readonly Group[], behind: ReadonlyMap<number, number>): string[] {
  const lines = groups.slice(0, 12).map((group) => `${whoAre(group.members)}: ${verb(group)}${lag(group, behind)}`);
  for (const { rank, host, collectives } of look.ranks) {
    const open = collectives.find(({ state }) => state !== "completed");
    if (open !== undefined && lines.length < 24)
      lines.push(`rank ${rank} on ${host}: last entered ${open.op} #${open.sequence} of group ${open.group} (${open.state})`);
  }
  lines.push(...provenBy(look.ways).slice(0, 8));
  for (const { host, why } of look.silent) lines.push(`${host}: ${why}`);
  for (const { host, lines: said } of look.ras) lines.push(...said.slice(0, 12).map((line) => `NCCL RAS on ${host}: ${line}`));
  return lines;
}
