/** Two entries of the file that are one host: their ranks would share what each believes to have alone. */

import { fail, type Problem, toProblem } from "../errors.ts";
import type { HostSpec } from "../spec.ts";
import type { RunState } from "./state.ts";

/**
 * One agent answers both, or both see one GPU. Names, addresses, machine ids and boot ids prove nothing: clones and containers share them.
 * Entries of this machine (`transport: local`) are meant to share it.
 */
export function sameHost(state: RunState, members: readonly string[]): { readonly host: string; readonly problem: Problem } | null {
  const seen = new Map<string, string>();
  for (const { name, transport } of state.spec.hosts) {
    if (transport === "local" || !members.includes(name)) continue;
    for (const { mark, why } of marksOf(state, name)) {
      const first = seen.get(mark);
      if (first !== undefined) return { host: name, problem: toProblem(fail("SAME_HOST", { host: name, first, why }), name) };
    }
    for (const { mark } of marksOf(state, name)) seen.set(mark, name);
  }
  return null;
}

function marksOf(state: RunState, name: HostSpec["name"]): readonly { readonly mark: string; readonly why: string }[] {
  const host = state.hosts[name];
  const { agent, dirs, facts } = host ?? {};
  return [
    ...(agent && dirs ? [{ mark: `agent ${agent.key} ${agent.pid} ${dirs.runtime}`, why: `one agent answers both (pid ${agent.pid})` }] : []),
    ...(facts?.gpus ?? []).map(({ uuid }) => ({ mark: `gpu ${uuid}`, why: `both have GPU ${uuid}` })),
  ];
}
