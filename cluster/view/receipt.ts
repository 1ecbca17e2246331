/** Receipts in words: what was ended on each host, what is left, and how it is known. */

import { type HostState, isOver, membersOf, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { Receipt } from "../shim-contract.ts";

export function formatReceipt(host: string, receipt: Receipt | "unknown" | null): string {
  const name = sanitiseWord(host);
  if (receipt === null) return `${name}: nothing was started`;
  if (receipt === "unknown") return `${name}: left alive unknown: it could not be asked`;
  const left = receipt.left === null ? "left alive unknown" : `${receipt.left} left alive`;
  const who = receipt.leftPids.map((p) => `pid ${p.pid} ${sanitiseWord(p.comm)} (${sanitiseWord(p.why)})`).join(", ");
  const gpu = receipt.gpuMemoryMiB === null ? "" : `, ${receipt.gpuMemoryMiB} MiB of GPU memory still held`;
  const proof = receipt.proof.length === 0 ? "none" : receipt.proof.join(" + ");
  return `${name}: ${left}${who === "" ? "" : `: ${who}`} (signalled ${receipt.signalled}, exited ${receipt.exited}, killed ${receipt.killed}; proof: ${proof}${gpu})`;
}

export const receiptLines = (state: RunState): readonly string[] =>
  membersOf(state)
    .filter((h) => h.mayRun || h.receipt !== null)
    .map((h) => formatReceipt(h.name, h.receipt));

const isGone = ({ receipt, mayRun }: HostState): boolean => (receipt === null ? !mayRun : receipt !== "unknown" && receipt.left === 0);

/** Every host of an ended run says that nothing is left there. */
export const isAllGone = (state: RunState): boolean => isOver(state) && membersOf(state).every(isGone);
