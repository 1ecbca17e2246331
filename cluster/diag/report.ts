/** A diagnosis as a person reads it: the verdict, the groups, then each finding with what, why, cure and proof. 80 columns, no colour needed. */

import { sanitiseWord } from "../sanitise.ts";
import { fitTo } from "../view/table.ts";
import { GROUPS } from "./catalogue.ts";
import type { Check, Group, Result, Status, Who } from "./check.ts";
import { names } from "./compare.ts";
import { NOT_REACHED } from "./judge.ts";
import { withFile } from "./with-file.ts";

const WIDTH = 80;

export type Verdict = { readonly isReady: boolean; readonly blockers: readonly Result[]; readonly counts: Readonly<Record<Status, number>> };

export function verdictOf(checks: readonly Check[], results: readonly Result[]): Verdict {
  const counts: Record<Status, number> = { pass: 0, warn: 0, fail: 0, skip: 0, error: 0 };
  for (const { status } of results) counts[status] += 1;
  const harmless = new Set(checks.filter((check) => !check.isBlocking).map(({ id }) => id));
  const blockers = results.filter((result) => result.status === "fail" && !harmless.has(result.id));
  return { isReady: blockers.length === 0 && counts.pass > 0, blockers, counts };
}

/** Fills `{name}` from the judgement's words; a word that is missing keeps its braces out of a pasted command. */
export function fillWords(text: string, result: Result): string {
  const words: Readonly<Record<string, string>> = { host: result.host ?? "", peer: result.peer ?? "", ...result.words };
  return text.replace(/\{(\w+)\}/g, (_, name: string) => words[name] ?? "");
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

/** A result with the words of its check. `file`: the cluster file that its commands are to name. */
export function findingOf(check: Check, result: Result, file: string | null = null): Finding {
  const { id, group, tier, title, why, who, isBlocking } = check;
  const { status, observed, expected, evidence, host, peer } = result;
  const isBad = status === "warn" || status === "fail" || status === "error";
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
    fix: isBad ? withFile(fillWords(result.words?.fix ?? check.fix, result), file) : "",
    who,
    verify: isBad ? withFile(fillWords(check.verify, result), file) : "",
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
  const { isReady, blockers } = verdictOf(checks, results);
  const about = `${hosts} host${hosts === 1 ? "" : "s"}, ${checks.length} checks, ${seconds.toFixed(1)} s`;
  if (isReady) return `READY (${about}): ${countWords(results)}`;
  const blocked = [...new Set(blockers.map(where))].sort(inNumber);
  return `NOT READY (${about}): ${blockers.length} blocker${blockers.length === 1 ? "" : "s"} on ${names(blocked)}`;
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

/** gpu-2 before gpu-10: hosts answer in any order. */
const inNumber = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

/** Alike on several hosts: one finding that names them. */
function alike(results: readonly Result[]): readonly (readonly Result[])[] {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const key = JSON.stringify([result.id, result.status, result.observed, result.gpu, result.peer, result.words?.fix]);
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

const LABEL: Readonly<Record<"fail" | "warn" | "error", string>> = { fail: "FAIL", warn: "WARN", error: "ERROR" };

function findingLines(check: Check, unsorted: readonly Result[], file: string | null): readonly string[] {
  const results = [...unsorted].sort((a, b) => inNumber(where(a), where(b)));
  const [first] = results;
  if (first === undefined || first.status === "pass" || first.status === "skip") return [];
  const hosts = names(results.map(where));
  const finding = findingOf(check, first, file);
  const seen = sanitiseWord(first.observed) + (first.expected === undefined ? "" : `; expected ${sanitiseWord(first.expected)}`);
  const head = `${LABEL[first.status]} ${sanitiseWord(hosts)}: ${check.title}: ${seen} [${check.id}]`;
  const cure = first.status === "error" || finding.fix === "" ? [] : [`  fix${WHO[check.who]}:`, `    ${sanitiseWord(finding.fix)}`];
  return [
    ...wrap(head, "").map((line, k) => (k === 0 ? line : `  ${line}`)),
    ...(first.evidence ?? []).slice(0, 5).map((line) => `    | ${fitTo(sanitiseWord(line), WIDTH - 6)}`),
    ...wrap(`why: ${check.why}`, "  "),
    ...cure,
    ...(first.status === "error" || finding.verify === "" ? [] : [`  verify: ${sanitiseWord(finding.verify)}`]),
  ];
}

/** `isVerbose`: also what passed and what was skipped. */
export function reportLines(
  checks: readonly Check[],
  results: readonly Result[],
  { hosts, seconds, isVerbose, file = null }: { readonly hosts: number; readonly seconds: number; readonly isVerbose: boolean; readonly file?: string | null },
): readonly string[] {
  const known = new Map(checks.map((check) => [check.id, check]));
  const blocking = (result: Result): number => (known.get(result.id)?.isBlocking === true && result.status === "fail" ? 0 : 1);
  const rank: Readonly<Record<Status, number>> = { fail: 0, error: 2, warn: 1, skip: 3, pass: 4 };
  const bad = results.filter(({ status }) => status === "fail" || status === "warn" || status === "error");
  const sorted = [...bad].sort((a, b) => blocking(a) - blocking(b) || rank[a.status] - rank[b.status]);
  const findings = alike(sorted).flatMap((group) => {
    const check = known.get(group[0]?.id ?? "");
    return check === undefined ? [] : ["", ...findingLines(check, group, file)];
  });
  const others = isVerbose ? ["", ...results.filter(({ status }) => status === "pass" || status === "skip").map(quietLine)] : [];
  return [
    ...wrap(verdictLine(checks, results, hosts, seconds), ""),
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
