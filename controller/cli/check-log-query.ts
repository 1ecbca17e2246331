/** Whether what `logs` is asked for can exist in that run: a filter that is wrong would match nothing, silently. Pure. */

import { nearest } from "../../cluster/config/nearest.ts";
import { fail } from "../../cluster/errors.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { LogQuery } from "../../cluster/viewer.ts";

/** Errors: USAGE, which names what exists. */
export function checkLogQuery({ hosts, ranks, attempt }: LogQuery, state: RunState): void {
  const { run } = state.spec;
  const names = state.spec.hosts.map((host) => host.name);
  const stranger = hosts?.find((name) => !names.includes(name));
  if (stranger !== undefined) {
    const close = nearest(stranger, names);
    throw fail("USAGE", {
      what: `${run} has no host ${stranger}; it has ${names.slice(0, 8).join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}`,
      fix: close === null ? `nexadist logs --host ${names[0]}` : `did you mean ${close}?`,
    });
  }
  if (attempt !== null && attempt > state.attempt) {
    const there = state.attempt === 0 ? "none has begun" : state.attempt === 1 ? "there is only attempt 1" : `there are attempts 1 to ${state.attempt}`;
    throw fail("USAGE", { what: `${run} has no attempt ${attempt}: ${there}`, fix: "without --attempt it is the latest" });
  }
  // Of an earlier attempt it is not known here how many ranks it had; before the first one nobody knows.
  if (state.world === 0 || (attempt !== null && attempt < state.attempt)) return;
  const beyond = ranks?.find((rank) => rank >= state.world);
  if (beyond !== undefined) {
    const there = state.world === 1 ? "there is only rank 0" : `there are ranks 0 to ${state.world - 1}`;
    throw fail("USAGE", { what: `${run} has no rank ${beyond}: ${there}`, fix: `nexadist status ${run} shows which rank is where` });
  }
}
