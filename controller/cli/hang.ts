/** `hang`: where every rank is now, who differs, and who waits for whom; asked of all hosts at once, without pausing anything. */

import type { Look, ProcessLook } from "../../cluster/hang/look.ts";
import { hasMoved } from "../../cluster/hang/suspicion.ts";
import { explainLook, type HangReport, rangesOf } from "../../cluster/hang/verdict.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { formatTable } from "../../cluster/view/table.ts";
import type { TwoLooks } from "../../cluster/viewer.ts";
import type { Run } from "./commands.ts";
import { findController } from "./find-controller.ts";
import { findRun } from "./known-run.ts";
import { whereLed } from "./open-run.ts";

export const hang: Run = async (context, [wanted], options) => {
  const here = await findController(context, options);
  const { client, run } = await whereLed(context, options, here, await findRun(here, context, wanted));
  context.say(`looking twice at the ranks of ${run}`);
  const { attempt, first, second } = (await client.ask({ ask: "hang", run })) as TwoLooks;
  const report = explainLook(second);
  const moves = hasMoved(first, second) || second.ranks.some(({ quietMs }) => quietMs !== null && quietMs < second.at - first.at);
  if (context.json) {
    context.printJson({ run, attempt, moves, text: report.text, rank: report.rank, host: report.host, groups: groupsJson(report), look: second });
    return 0;
  }
  const lines = [
    report.text,
    second.ranks.length === 0 ? "" : moves ? "something moved between two looks: it may well be getting on" : "nothing moved between two looks",
    "",
    ...table(report, second),
    ...report.evidence.slice(report.groups.length).map((line) => `  ${line}`),
    ...(context.verbose ? second.ranks.flatMap(stacksOf) : ["", "nexadist hang -v shows the stacks"]),
  ];
  for (const line of lines) context.print(sanitiseWord(line));
  return 0;
};

const groupsJson = ({ groups }: HangReport): object[] =>
  groups.map(({ place, members, cpus }) => ({ ranks: members.map(({ rank }) => rank), hosts: [...new Set(members.map(({ host }) => host))], ...place, cpus }));

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

function stacksOf({ rank, host, main, others }: Look["ranks"][number]): string[] {
  if (main === null) return ["", `rank ${rank} on ${host}: its process is not there any more`];
  return ["", `rank ${rank} on ${host}`, ...[main, ...others].flatMap(processLines)];
}

function processLines({ pid, command, state, cpus, threads, source, why }: ProcessLook): string[] {
  const head = `  process ${pid} (${state}, ${Math.round(cpus * 100)}% CPU) ${command.slice(-80)}`;
  if (source === null) return [head, `    no stack: ${why}`];
  return [
    head,
    ...threads.flatMap(({ isMain, name, frames }) => [
      `    ${isMain ? "main thread" : `thread ${name}`.trim()}, by ${source}`,
      ...frames.map(({ file, line, fn }) => `      ${fn}  ${file}:${line}`),
    ]),
  ];
}
