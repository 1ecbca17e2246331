/** Makes one fault of a drill: finds the process of its own run, makes sure that it is, and kills it. */

import type { DrillFault } from "../../cluster/drill/faults.ts";
import { fail, NexaError } from "../../cluster/errors.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { Pong } from "../../cluster/viewer.ts";
import { absoluteReach, reachEnv } from "../reach/reach-env.ts";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";

export type Struck = { readonly at: number; readonly host: string | null };

/** $1: a rank's PID, $2: the run. Only what holds the run's mark or serves it is killed; prints what it was. */
const FIND = `is_of() { tr '\\0' '\\n' < /proc/$1/environ 2>/dev/null | grep -q "^NEXADIST_MARK=.*/$2/" || tr '\\0' ' ' < /proc/$1/cmdline 2>/dev/null | grep -q "/runs/$2/"; }
parent() { while read -r key value; do [ "$key" = PPid: ] && echo "$value"; done < /proc/$1/status; }
is_shim() { tr '\\0' ' ' < /proc/$1/cmdline 2>/dev/null | grep -q 'shim\\.py '; }
`;
const KILLS: Readonly<Record<Exclude<DrillFault, "controller" | "agent">, string>> = {
  rank: `is_of $1 $2 && kill -9 $1`,
  launcher: `p=$(parent $1); is_of $p $2 && ! is_shim $p && kill -9 $p`,
  shim: `p=$(parent $1); while [ "$p" -gt 1 ] && ! is_shim $p; do p=$(parent $p); done; is_of $p $2 && is_shim $p && kill -9 $p`,
};

/** Errors: DRILL_MISSED when the process was not there. */
export async function strike(context: Context, client: Client, fault: DrillFault, state: RunState, n: number): Promise<Struck> {
  if (fault === "controller") {
    const { pid } = (await client.ask({ ask: "ping" })) as Pong;
    const at = Date.now();
    process.kill(pid, "SIGKILL");
    return { at, host: null };
  }
  const ranks = Object.values(state.ranks).sort((a, b) => a.rank - b.rank);
  const victim = ranks[n % Math.max(1, ranks.length)];
  const host = state.spec.hosts.find(({ name }) => name === victim?.host);
  if (victim === undefined || host === undefined) throw fail("DRILL_MISSED", { what: "no rank runs" });
  const agent = state.hosts[host.name]?.agent?.pid;
  const script = fault === "agent" ? `tr '\\0' ' ' < /proc/${agent}/cmdline | grep -q 'agent\\.mjs' && kill -9 ${agent}` : `${FIND}${KILLS[fault]}`;
  const reach = absoluteReach(reachEnv(context.env), context.cwd);
  const at = Date.now();
  const done = client.ask({ ask: "exec", host, argv: ["sh", "-c", script, "sh", `${victim.pid}`, state.spec.run], reach });
  const exit = (await done.catch((error: unknown) => {
    // An agent that is killed cannot say how its command ended.
    if (fault === "agent" && !(error instanceof NexaError && error.code === "NO_LINK")) return { code: 0 };
    throw error;
  })) as { readonly code: number | null };
  if (exit.code !== 0) throw fail("DRILL_MISSED", { what: `the ${fault} of rank ${victim.rank} on ${host.name} was not found` });
  return { at, host: host.name };
}
