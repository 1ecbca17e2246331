/** A diagnosis as a person reads it: the verdict, the groups, then each finding with what, why, cure and proof. 80 columns, no colour needed. */

import { quote } from "../launch/quote.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { RunSpec } from "../spec.ts";
import { fitTo } from "../view/table.ts";
import { GROUPS } from "./catalogue.ts";
import type { Check, Group, Result, Status, Who } from "./check.ts";
import { names } from "./compare.ts";
import { cureText } from "./cure.ts";
import { NOT_REACHED } from "./judge.ts";
import { withFile } from "./with-file.ts";

const WIDTH = 80;

/** `unknown`: of checks that block, those that could not be looked at. */
export type Verdict = {
  readonly isReady: boolean;
  readonly blockers: readonly Result[];
  readonly unknown: readonly Result[];
  readonly counts: Readonly<Record<Status, number>>;
};

/** What the commands of a cure are made of: the cluster file, and how its hosts are reached. */
export type Place = Pick<RunSpec, "file" | "hosts">;
export const NOWHERE: Place = { file: null, hosts: [] };

export function verdictOf(checks: readonly Check[], results: readonly Result[]): Verdict {
  const counts: Record<Status, number> = { pass: 0, warn: 0, fail: 0, skip: 0, error: 0 };
  for (const { status } of results) counts[status] += 1;
  const harmless = new Set(checks.filter((check) => !check.isBlocking).map(({ id }) => id));
  const blockers = results.filter((result) => result.status === "fail" && !harmless.has(result.id));
  const unknown = results.filter((result) => result.status === "error" && !harmless.has(result.id));
  return { isReady: blockers.length + unknown.length === 0 && counts.pass > 0, blockers, unknown, counts };
}

const WHO: Readonly<Record<Who, string>> = { you: "", root: ", as root", admin: ", by its administrator" };

export type Finding = {
  readonly id: string;
  readonly group: Group;
  readonly tier: string;
  readonly title: string;
  readonly status: Status;
  readonly hosts: readonly string[];
  readonly observed: string;
  readonly expected?: string;
  readonly evidence?: readonly string[];
  readonly why: string;
  readonly fix: string;
  readonly who: Who;
  readonly verify: string;
  readonly isBlocking: boolean;
};

/** A result with the words of its check. */
export function findingOf(check: Check, result: Result, { file, hosts }: Place = NOWHERE): Finding {
  const { id, group, tier, title, why, who, isBlocking } = check;
  const { status, observed, expected, evidence, host, peer } = result;
  const isBad = status === "warn" || status === "fail" || status === "error";
  const words = { file: file === null ? "FILE" : quote(file), host: host ?? "", peer: peer ?? "", ...result.words };
  const commands = (template: string): string => (isBad ? withFile(cureText(template, words, hosts), file) : "");
  return {
    id,
    group,
    tier,
    title,
    status,
    hosts: [host, peer].filter((name): name is string => typeof name === "string"),
    observed,
    ...(expected === undefined ? {} : { expected }),
    ...(evidence === undefined ? {} : { evidence }),
    why,
    // What was found may ask for something else than the check does in general.
    fix: commands(result.words?.fix ?? check.fix),
    who,
    verify: commands(check.verify),
    isBlocking,
  };
}

const where = ({ host, peer }: Result): string => (host === null ? "all hosts" : peer === undefined ? host : `${peer} and ${host}`);

/** "1 failed, 2 warnings" */
function countWords(results: readonly Result[]): string {
  const of = (status: Status): number => results.filter((result) => result.status === status).length;
  const words = [
    [of("fail"), "failed"],
    [of("warn"), of("warn") === 1 ? "warning" : "warnings"],
    [of("error"), "could not be looked at"],
  ] as const;
  const parts = words.flatMap(([n, word]) => (n === 0 ? [] : [`${n} ${word}`]));
  return parts.length === 0 ? "no finding" : parts.join(", ");
}

export function verdictLine(checks: readonly Check[], results: readonly Result[], hosts: number, seconds: number): string {
  const { isReady, blockers, unknown } = verdictOf(checks, results);
  const about = `${hosts} host${hosts === 1 ? "" : "s"}, ${checks.length} checks, ${seconds.toFixed(1)} s`;
  if (isReady) return `READY (${about}): ${countWords(results)}`;
  if (blockers.length === 0) {
    const ids = [...new Set(unknown.map(({ id }) => id))];
    const what = ids.length === 0 ? "nothing was looked at" : `${names(ids)} could not be looked at on ${names(placesOf(unknown))}`;
    return `NOT READY (${about}): not known: ${what}`;
  }
  return `NOT READY (${about}): ${blockers.length} blocker${blockers.length === 1 ? "" : "s"} on ${names(placesOf(blockers))}`;
}

/** One line a group: how many of its checks are good, and of what there is more. */
function groupLines(checks: readonly Check[], results: readonly Result[]): readonly string[] {
  const mark: Readonly<Record<Status, string>> = { pass: "ok", warn: "warn", fail: "FAIL", skip: "skip", error: "error" };
  const order: readonly Status[] = ["fail", "error", "warn", "pass", "skip"];
  return GROUPS.flatMap((group) => {
    const ids = new Set(checks.filter((check) => check.group === group).map(({ id }) => id));
    const mine = results.filter((result) => ids.has(result.id) && result.observed !== NOT_REACHED);
    if (mine.length === 0) return [];
    const worst = order.find((status) => mine.some((result) => result.status === status)) ?? "skip";
    const parts = order.flatMap((status) => {
      const n = mine.filter((result) => result.status === status).length;
      return n === 0 ? [] : [`${n} ${mark[status]}`];
    });
    return [`  ${mark[worst].padEnd(5)}  ${group.padEnd(11)}  ${parts.join(", ")}`];
  });
}

const placesOf = (results: readonly Result[]): readonly string[] => [...new Set(results.map(where))].sort(inNumber);

/** gpu-2 before gpu-10: hosts answer in any order. */
const inNumber = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

/** What kept a check from looking, without the name of what was read: "limits: no answer within 15 s". */
const causeOf = (observed: string): string => observed.replace(/^[\w.:-]+: /, "");

/** Alike on several hosts: one finding that names them. What could not be looked at for one cause is one, whatever it was. */
function alike(results: readonly Result[]): readonly (readonly Result[])[] {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const { id, status, observed, gpu, peer, words } = result;
    const key = JSON.stringify(status === "error" ? [status, causeOf(observed)] : [id, status, observed, gpu, peer, words?.fix]);
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()];
}

/** Wraps at blanks; a word longer than a line, such as a command's path, stays whole so that it can be pasted. */
function wrap(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, indent + line];
}

const hanging = (lines: readonly string[]): readonly string[] => lines.map((line, k) => (k === 0 ? line : `  ${line}`));

function errorLines(results: readonly Result[]): readonly string[] {
  const ids = [...new Set(results.map(({ id }) => id))];
  const causes = [...new Set(results.map(({ observed }) => observed))];
  const [first = ""] = causes;
  const head = `ERROR ${sanitiseWord(names(placesOf(results)))}: could not be looked at: ${sanitiseWord(causes.length === 1 ? first : causeOf(first))} [${names(ids, 8)}]`;
  return hanging(wrap(head, ""));
}

/** On more hosts than that the cure is told of the first only. */
const CURES_MAX = 3;

function cureLines(check: Check, results: readonly Result[], place: Place): readonly string[] {
  const all = Map.groupBy(results, (result) => findingOf(check, result, place).fix);
  all.delete("");
  const others = [...all.values()].slice(CURES_MAX).flat();
  return [
    ...[...all.keys()].slice(0, CURES_MAX).flatMap((fix) => fix.split("\n")),
    ...(others.length === 0 ? [] : [`# likewise on ${names(placesOf(others))}`]),
  ].map((line) => `    ${sanitiseWord(line)}`);
}

const LABEL = { fail: "FAIL", warn: "WARN" } as const;

function findingLines(check: Check, unsorted: readonly Result[], place: Place): readonly string[] {
  const results = [...unsorted].sort((a, b) => inNumber(where(a), where(b)));
  const [first] = results;
  if (first?.status === "error") return errorLines(results);
  if (first?.status !== "fail" && first?.status !== "warn") return [];
  const hosts = names(results.map(where));
  const { verify } = findingOf(check, first, place);
  const cures = cureLines(check, results, place);
  const seen = sanitiseWord(first.observed) + (first.expected === undefined ? "" : `; expected ${sanitiseWord(first.expected)}`);
  const head = `${LABEL[first.status]} ${sanitiseWord(hosts)}: ${check.title}: ${seen} [${check.id}]`;
  return [
    ...hanging(wrap(head, "")),
    ...(first.evidence ?? []).slice(0, 5).map((line) => `    | ${fitTo(sanitiseWord(line), WIDTH - 6)}`),
    ...wrap(`why: ${check.why}`, "  "),
    ...(cures.length === 0 ? [] : [`  fix${WHO[check.who]}:`, ...cures]),
    ...(verify === "" ? [] : [`  verify: ${sanitiseWord(verify)}`]),
  ];
}

/** `isVerbose`: also what passed and what was skipped. */
export function reportLines(
  checks: readonly Check[],
  results: readonly Result[],
  { place, seconds, isVerbose }: { readonly place: Place; readonly seconds: number; readonly isVerbose: boolean },
): readonly string[] {
  const known = new Map(checks.map((check) => [check.id, check]));
  const blocking = (result: Result): number => (known.get(result.id)?.isBlocking === true && result.status === "fail" ? 0 : 1);
  const rank: Readonly<Record<Status, number>> = { fail: 0, error: 2, warn: 1, skip: 3, pass: 4 };
  const bad = results.filter(({ status }) => status === "fail" || status === "warn" || status === "error");
  const sorted = [...bad].sort((a, b) => blocking(a) - blocking(b) || rank[a.status] - rank[b.status]);
  const findings = alike(sorted).flatMap((group) => {
    const check = known.get(group[0]?.id ?? "");
    return check === undefined ? [] : ["", ...findingLines(check, group, place)];
  });
  const others = isVerbose ? ["", ...results.filter(({ status }) => status === "pass" || status === "skip").map(quietLine)] : [];
  return [
    ...wrap(verdictLine(checks, results, place.hosts.length, seconds), ""),
    "",
    ...groupLines(checks, results),
    ...findings,
    ...skipLines(results, isVerbose),
    ...others,
  ];
}

const quietLine = (result: Result): string => `${result.status === "pass" ? "ok  " : "skip"}  ${where(result)}  ${result.id}: ${sanitiseWord(result.observed)}`;

/** What was not looked at is said in a line each, by reason. */
function skipLines(results: readonly Result[], isVerbose: boolean): readonly string[] {
  if (isVerbose) return [];
  const reasons = new Map<string, Set<string>>();
  for (const { status, observed, id } of results) {
    // A host that was not reached has its red line.
    if (status === "skip" && observed !== NOT_REACHED) reasons.set(observed, (reasons.get(observed) ?? new Set()).add(id));
  }
  if (reasons.size === 0) return [];
  const lines = [...reasons].flatMap(([reason, ids]) => wrap(`${names([...ids], 3)}: ${sanitiseWord(reason)}`, "  "));
  return ["", "not looked at (neither good nor bad):", ...lines];
}
