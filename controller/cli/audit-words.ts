/** An audit in words: what is alive on a host, of which run, and what is left over. Pure. */

import { sanitiseWord } from "../../cluster/sanitise.ts";
import { type Audit, isLeft, leftAgents, leftAttempts } from "./audit-look.ts";

const SHOWN = 8;

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : what.endsWith("s") ? "es" : "s"}`;

function names(processes: Audit["attempts"][number]["processes"]): string {
  const some = processes.slice(0, SHOWN).map(({ pid, comm }) => `${pid} ${sanitiseWord(comm)}`);
  return [...some, ...(processes.length > SHOWN ? [`and ${processes.length - SHOWN} more`] : [])].join(", ");
}

const titleOf = ({ run, attempt }: Audit["attempts"][number]): string => `${sanitiseWord(run)} attempt ${attempt}`;

/** Lines without the host's name before them. */
export function auditLines(found: Audit): readonly string[] {
  const alive = found.attempts.filter((each) => each.verdict === "alive");
  const agents = found.agents.filter((each) => !each.isLeft);
  return [
    ...alive.map((each) => `${titleOf(each)}: ${count(each.count, "process")}; ${each.why}`),
    ...agents.map(({ pid }) => `agent ${pid}`),
    ...leftAttempts(found).map((each) => {
      const shim = each.shim === null ? "" : `shim ${each.shim}${each.processes.length > 0 ? ", " : ""}`;
      return `LEFT OVER: ${titleOf(each)}, ${each.why}: ${shim}${names(each.processes)}`;
    }),
    ...leftAgents(found).map(({ pid }) => `LEFT OVER: agent ${pid}, which nothing can reach any more`),
    ...found.files.map(({ path, why }) => `LEFT OVER: ${sanitiseWord(path)} ${sanitiseWord(why)}`),
    ...found.strays.map(
      ({ pid, comm, mark }) =>
        `not ours for certain: ${pid} ${sanitiseWord(comm)} began with the mark ${sanitiseWord(mark)}, of which there is no record here; it is never ended`,
    ),
    ...(isLeft(found) ? [] : [alive.length > 0 ? "nothing is left over" : "0 processes of a run, nothing is left over"]),
  ];
}

/** Runs of which something is left over on one host, and which are alive on another: to end the one ends their attempt. */
export function cautions(audits: readonly { readonly host: string; readonly audit: Audit }[]): readonly string[] {
  const left = [...new Set(audits.flatMap(({ audit }) => leftAttempts(audit).map(({ run }) => run)))];
  return left.flatMap((run) => {
    const alive = audits
      .filter(({ audit }) => audit.attempts.some((each) => each.run === run && each.verdict === "alive"))
      .map(({ host }) => sanitiseWord(host));
    if (alive.length === 0) return [];
    return [
      `${sanitiseWord(run)} is alive on ${alive.join(", ")}: its controller mends this by itself (any nexadist command starts it); ending it here ends the attempt everywhere`,
    ];
  });
}
