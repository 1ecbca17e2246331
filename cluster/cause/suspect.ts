/** One thing that may have ended an attempt, and how good a reason it is. */

import type { Cause } from "../run/cause.ts";

/**
 * The first in this order is the cause, within one the earliest:
 * 1 names itself: an exception of the program, a crash, a kill, a host that is gone. 2 the same, of a rank that was slow to end: others had been heard of before.
 * 3 a link or launcher that failed, which may follow from something unseen. 4 ended from outside, reason unknown. 5 waited in vain for another.
 * 6 only a consequence: noticed another's end, or was ended by us.
 */
export type Tier = 1 | 2 | 3 | 4 | 5 | 6;

export type Suspect = Omit<Cause, "evidence" | "text"> & {
  readonly tier: Tier;
  /** The controller's clock, as well as it is known. */
  readonly at: number;
  /** "rank 3 on gpu-b", "gpu-b". */
  readonly who: string;
  /** "raised ValueError: …". */
  readonly what: string;
  readonly proofs: readonly string[];
};

export const suspect = (given: Pick<Suspect, "tier" | "at" | "kind" | "who" | "what"> & Partial<Suspect>): Suspect => ({
  code: null,
  host: null,
  rank: null,
  place: null,
  exitCode: null,
  isFinal: false,
  proofs: [],
  ...given,
});

const finite = (at: number): number => (Number.isFinite(at) ? at : Number.MAX_SAFE_INTEGER);
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A total order of what they are, so that the order in which they were found does not matter. */
export const compareSuspects = (a: Suspect, b: Suspect): number =>
  a.tier - b.tier ||
  finite(a.at) - finite(b.at) ||
  (a.rank ?? -1) - (b.rank ?? -1) ||
  compareText(a.host ?? "", b.host ?? "") ||
  compareText(a.kind, b.kind) ||
  compareText(a.what, b.what) ||
  compareText(a.proofs.join("\n"), b.proofs.join("\n"));
