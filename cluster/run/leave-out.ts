/** A host that fails while the first attempt comes up, where `min_hosts` lets the run begin without it. */

import type { Problem } from "../errors.ts";
import { patch } from "./host-fold.ts";
import type { RunState } from "./state.ts";

/** Others have its GPUs, which passes: that is for --wait, or for a person who excludes it. */
const PASSES: ReadonlySet<string> = new Set(["GPUS_BUSY", "GPUS_TAKEN"]);

/** null: the run cannot do without it. */
export function leaveOut(state: RunState, name: string, problem: Problem): RunState | null {
  const { spec, members, attempt, phase, nproc } = state;
  const at = members.indexOf(name);
  const isEarly = (attempt === 0 && phase === "preparing") || (attempt <= 1 && phase === "arming");
  if (at < 0 || !isEarly || PASSES.has(problem.code) || members.length - 1 < spec.minHosts || isStore(state, name)) return null;
  const next = patch(state, name, () => ({ problem, claim: null, lost: problem.message }));
  const without = members.filter((member) => member !== name);
  if (state.attemptAt === null) return { ...next, members: without };
  // Ranks are numbered anew as long as none was started; what the first host holds is in the plan of all.
  if (at === 0 || nproc.length !== members.length) return null;
  return { ...next, members: without, nproc: nproc.filter((_, k) => k !== at), world: state.world - (nproc[at] ?? 0) };
}

const isStore = ({ spec }: RunState, name: string): boolean =>
  spec.rdzv !== null && spec.hosts.some((host) => host.name === name && (host.name === spec.rdzv?.host || host.address === spec.rdzv?.host));
