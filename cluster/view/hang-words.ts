/** Two looks at the ranks of a run in words: the verdict, whether anything moved, who stands where; and the stacks. */

import type { Look, ProcessLook } from "../hang/look.ts";
import { hasMoved } from "../hang/suspicion.ts";
import { explainLook, type HangReport, rangesOf } from "../hang/verdict.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { TwoLooks } from "../viewer.ts";
import { formatDuration } from "./duration.ts";
import { formatTable } from "./table.ts";

/** Whether any rank got anywhere between the two: a line of it counts too. */
export const movesOn = ({ first, second }: TwoLooks): boolean =>
  hasMoved(first, second) || second.ranks.some(({ quietMs }) => quietMs !== null && quietMs < second.at - first.at);

/** The verdict and its table; stacks are apart, for they are long. */
export function hangLines(looks: TwoLooks, report: HangReport = explainLook(looks.second)): readonly string[] {
  const { second } = looks;
  return [
    report.text,
    second.ranks.length === 0 ? "" : movesOn(looks) ? "something moved between two looks: it may well be getting on" : "nothing moved between two looks",
    "",
    ...table(report, second),
    ...report.evidence.slice(report.groups.length).map((line) => `  ${line}`),
  ].map(sanitiseWord);
}

function table({ groups }: HangReport, look: Look): readonly string[] {
  if (groups.length === 0) return [];
  const rows = groups.map(({ place, members, cpus }) => {
    const quiet = look.ranks.filter(({ rank }) => members.some((one) => one.rank === rank)).map(({ quietMs }) => quietMs ?? Number.POSITIVE_INFINITY);
    const least = Math.min(...quiet);
    const hosts = [...new Set(members.map(({ host }) => host))].join(",");
    return [
      rangesOf(members.map(({ rank }) => rank)),
      hosts,
      `${Math.round(cpus * 100)}%`,
      Number.isFinite(least) ? formatDuration(least) : "wrote nothing",
      place.text,
    ];
  });
  return formatTable([["RANKS", "HOSTS", "CPU", "QUIET", "IS DOING"], ...rows]);
}

export const stackLines = ({ ranks }: Look): readonly string[] => ranks.flatMap(stacksOf).map(sanitiseWord);

function stacksOf({ rank, host, main, others }: Look["ranks"][number]): string[] {
  if (main === null) return ["", `rank ${rank} on ${host}: its process is not there any more`];
  return ["", `rank ${rank} on ${host}`, ...[main, ...others].flatMap(processLines)];
}

/** The code that travelled, as the person knows it: below its own directory. */
const ofCode = (file: string): string => file.replace(/^\/.*\/runs\/[^/]+\/code\//, "");

function processLines({ pid, command, state, cpus, threads, source, why }: ProcessLook): string[] {
  const head = `  process ${pid} (${state}, ${Math.round(cpus * 100)}% CPU) ${command.slice(-80)}`;
  if (source === null) return [head, `    no stack: ${why}`];
  return [
    head,
    ...threads.flatMap(({ isMain, name, frames }) => [
      `    ${isMain ? "main thread" : `thread ${name}`.trim()}, by ${source}`,
      ...frames.map(({ file, line, fn }) => `      ${fn}  ${ofCode(file)}:${line}`),
    ]),
  ];
}
