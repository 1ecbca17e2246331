/** Receipts in words: what was ended on each host, what is left, and how it is known. */

import { type HostState, hostsOf, isOver, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { Receipt } from "../shim-contract.ts";
import { whyUnseen } from "./unseen.ts";

/** `usesGpus`: ranks of the run have GPUs on that host; without any, GPU memory is only worth a word when some is held. */
export function formatReceipt(host: string, receipt: Receipt | "unknown" | null, usesGpus: boolean, whyUnknown = ""): string {
  const name = sanitiseWord(host);
  if (receipt === null) return `${name}: nothing was started`;
  if (receipt === "unknown")
    return `${name}: left alive unknown: it could not be asked${whyUnknown === "" ? "" : ` (${sanitiseWord(whyUnknown)})`}; it is stopped as soon as it answers`;
  const left = receipt.left === null ? "left alive unknown" : `${receipt.left} left alive`;
  const who = receipt.leftPids.map((p) => `pid ${p.pid} ${sanitiseWord(p.comm)} (${sanitiseWord(p.why)})`).join(", ");
  const proof = receipt.proof.length === 0 ? "none" : receipt.proof.join(" + ");
  return `${name}: ${left}${who === "" ? "" : `: ${who}`} (signalled ${receipt.signalled}, exited ${receipt.exited}, ${killedWords(receipt)}; proof: ${proof}${gpuMemory(receipt, usesGpus)})`;
}

/** A launcher is killed in every stop: torchrun would else cut short a rank that saves. */
function killedWords({ killed, killedLaunchers: launchers = 0 }: Receipt): string {
  if (launchers === 0) return `killed ${killed}`;
  const others = killed - launchers;
  const rule = `${others === 0 ? "" : `${others} that SIGTERM did not end and `}the launcher, which a stop always ends so, last`;
  return `killed ${killed}: ${rule}`;
}

function gpuMemory({ gpuMemoryMiB: heldMiB, gpuMemoryWhy: why }: Receipt, usesGpus: boolean): string {
  if (heldMiB === null) return usesGpus ? `; GPU memory unknown${why === undefined ? "" : `: ${sanitiseWord(why)}`}` : "";
  if (heldMiB > 0) return `; GPU memory ${heldMiB} MiB still held`;
  return usesGpus ? "; GPU memory 0 MiB" : "";
}

const givesGpus = ({ spec }: RunState, name: string): boolean => spec.hosts.some((host) => host.name === name && host.gpus.kind !== "none");

export const receiptLines = (state: RunState): readonly string[] =>
  hostsOf(state)
    .filter((h) => h.mayRun || h.receipt !== null)
    .map((h) => formatReceipt(h.name, h.receipt, givesGpus(state, h.name), whyUnseen(h)));

const isGone = ({ receipt, mayRun }: HostState): boolean => (receipt === null ? !mayRun : receipt !== "unknown" && receipt.left === 0);

/** Every host of an ended run says that nothing is left there. */
export const isAllGone = (state: RunState): boolean => isOver(state) && hostsOf(state).every(isGone);
