/** Names why an attempt ended: the first failure, told apart from its victims. Pure and total: any evidence gives a cause. */

import type { Cause } from "../run/cause.ts";
import { sanitiseWord } from "../sanitise.ts";
import { brokenWays, provenBy } from "./broken-ways.ts";
import type { Evidence, RankExit } from "./evidence.ts";
import { fullDiskOf } from "./full-disk.ts";
import { judgeGpus, judgeLauncher, judgeTrouble } from "./judge-host.ts";
import { judgeRank } from "./judge-rank.ts";
import { compareSuspects, type Suspect, suspect } from "./suspect.ts";

const EVIDENCE_MAX = 12;
/** Lines of the cause itself; the others are of ranks that followed. */
const OWN_MAX = 9;
const LINE_MAX = 300;
const TEXT_MAX = 600;

export function rootCause(evidence: Evidence): Cause {
  const suspects = suspectsOf(evidence).sort(compareSuspects);
  const first = suspects[0];
  if (first === undefined) return nothingKnown(evidence);
  const { tier, at, who, what, proofs, ...cause } = first;
  const others = suspects.filter((one) => one !== first && one.rank !== null && one.rank !== first.rank);
  const alike = new Set(others.filter((one) => isAlike(one, first)).flatMap(({ rank }) => rank ?? []));
  const full = fullDiskOf(first, evidence);
  const words = [...(full?.proofs ?? []), ...proofs.slice(0, OWN_MAX), ...others.flatMap(({ proofs: of }) => of.find((line) => !/: File "/.test(line)) ?? [])];
  return {
    ...cause,
    code: full?.code ?? cause.code,
    host: cause.host === null ? null : cleaned(cause.host, LINE_MAX),
    place: cause.place === null ? null : cleaned(cause.place, LINE_MAX),
    text: `${cleaned(`${who} ${what}`, TEXT_MAX)}${full?.text ?? ""}${companions(evidence, alike)}${victims(evidence, first, alike.size)}`,
    evidence: [...new Set(words.map((line) => cleaned(line, LINE_MAX)))].slice(0, EVIDENCE_MAX),
  };
}

function suspectsOf(evidence: Evidence): Suspect[] {
  const ofRanks = evidence.exits.map((exit) => judgeRank(exit, timeOf(exit, evidence), evidence)).filter((one) => one !== null);
  const firstEnds = new Map<string, number>();
  for (const one of ofRanks) if (one.host !== null) firstEnds.set(one.host, Math.min(firstEnds.get(one.host) ?? Number.POSITIVE_INFINITY, one.at));
  // A rank that says what happened to it knows better than a GPU's event that happened to come near it.
  for (const one of ofRanks) if (one.tier <= 2 && one.host !== null && one.kind !== "signal") firstEnds.delete(one.host);
  const ofLaunchers = evidence.launchers.map((exit) => judgeLauncher(exit, evidence)).filter((one) => one !== null);
  return [...ofRanks, ...ofLaunchers, ...evidence.troubles.map(judgeTrouble), ...judgeGpus(evidence, firstEnds), ...ofWays(evidence), ...ended(evidence)];
}

/** By the host's own clock where it could be compared, else when word came. */
function timeOf({ host, seenAt, heardAt }: RankExit, { clockOffsetMs }: Evidence): number {
  const offset = clockOffsetMs[host];
  return offset === undefined || !Number.isFinite(offset) ? heardAt : seenAt - offset;
}

/** Ranks that lost a link blame one another: where the hosts cannot reach each other, that is the reason. */
const ofWays = ({ ways, ended: why }: Evidence): Suspect[] =>
  why?.kind === "hang"
    ? [] // its verdict has looked at them
    : brokenWays(ways).map(({ text, host }) =>
        suspect({ tier: 3, at: 0, who: "", what: text, kind: "network", host, place: `ways:${text}`, proofs: provenBy(ways).slice(0, 4) }),
      );

const ended = ({ ended: why }: Evidence): Suspect[] =>
  why === null ? [] : [suspect({ tier: 3, at: 0, who: "", what: why.text, kind: why.kind, host: why.host, rank: why.rank, code: why.code, proofs: [] })];

/** Raised the very same by itself: a victim of the first would have noticed its end, or been ended. */
const isAlike = (one: Suspect, first: Suspect): boolean =>
  first.kind === "exception" && first.tier <= 2 && one.tier <= 2 && one.kind === "exception" && one.place === first.place && one.code === first.code;

/** "; all 3 ranks raised the same". */
function companions({ world }: Evidence, alike: ReadonlySet<number>): string {
  if (alike.size === 0) return "";
  if (alike.size + 1 >= world) return `; ${world === 2 ? "both" : `all ${world}`} ranks raised the same`;
  const ranks = [...alike].sort((a, b) => a - b);
  const named =
    ranks.length <= 4 ? `${ranks.length === 1 ? "rank" : "ranks"} ${ranks.join(", ").replace(/, (?=\d+$)/, " and ")}` : `${ranks.length} other ranks`;
  return `; ${named} raised the same`;
}

/** "; 7 other ranks ended because of it". `alike`: ranks that failed by themselves, too. */
function victims({ world, ranks, exits }: Evidence, first: Suspect, alike: number): string {
  if (first.kind === "start" || first.kind === "unknown") return "";
  const well = new Set(exits.filter(({ code }) => code === 0).map(({ rank }) => rank));
  const started = [...new Map([...ranks, ...exits].map((one) => [one.rank, one])).values()].filter(({ rank }) => !well.has(rank));
  const isHosts = first.kind === "host-lost" || first.kind === "host-rebooted" || first.kind === "shim";
  const count = first.rank !== null ? world - well.size - 1 - alike : started.filter(({ host }) => !isHosts || host !== first.host).length;
  if (count <= 0) return "";
  return `; ${count}${first.rank !== null || isHosts ? " other" : ""} ${count === 1 ? "rank" : "ranks"} ended because of it`;
}

const cleaned = (text: string, max: number): string => {
  const word = sanitiseWord(text)
    .trim()
    .replace(/[.;:,\s]+$/, "");
  return word.length > max ? `${word.slice(0, max - 1)}…` : word;
};

const nothingKnown = ({ world }: Evidence): Cause => ({
  kind: "unknown",
  code: null,
  text: world === 0 ? "the attempt ended before a rank was started, and nothing says why" : "the attempt ended, and nothing says why",
  host: null,
  rank: null,
  place: null,
  exitCode: null,
  evidence: [],
  isFinal: false,
});
