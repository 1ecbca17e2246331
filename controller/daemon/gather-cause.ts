/** Brings together what is known of an attempt that ended, from the journal, the stored logs and the hosts that answer, and names its cause. Never rejects. */

import type { Cause } from "../../cluster/run/cause.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";

/** What a host tells when it is asked; checked by `parseHostEvidence`. */
export type HostEvidence = { readonly [key: string]: unknown };

export type CauseSources = {
  readonly state: RunState;
  /** Of the run's journal, in order; those of other attempts are passed over. */
  readonly events: readonly RunEvent[];
  /** Directory that the run's LogStore was opened on. */
  readonly logsDir: string;
  /** The reply value of {do: "evidence", ...fence, attempt} from a host, or null where it cannot be asked. Rejecting is the same as null. */
  readonly ask: (host: string) => Promise<unknown>;
  readonly now: () => number;
  /** Takes secret values out of a text. */
  readonly conceal: (text: string) => string;
};

export async function gatherCause({ state, conceal }: CauseSources): Promise<Cause> {
  const { trouble: failure } = state;
  return {
    kind: failure?.kind ?? "unknown",
    code: failure?.problem?.code ?? null,
    text: conceal(failure?.text ?? "the attempt ended, and nothing says why"),
    host: failure?.host ?? null,
    rank: failure?.rank ?? null,
    place: null,
    exitCode: failure?.rank == null ? null : (state.ranks[failure.rank]?.exit?.code ?? null),
    evidence: [],
    isFinal: false,
  };
}
