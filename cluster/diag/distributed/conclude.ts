/** What failed trials come to: one sentence that names host, link or library, and the cure. Pure. */

import type { Trial } from "../check.ts";
import { names } from "../compare.ts";

export type Conclusion = { readonly text: string; readonly host: string | null; readonly peer?: string; readonly fix: string };

const hasFailed = (trial: Trial): boolean => trial.failure !== null;
const FIRST_WORDS = 200;

/** null: the planned trials all went well. */
export function conclude(trials: readonly Trial[]): Conclusion | null {
  const failed = trials.find(hasFailed);
  if (failed?.failure === undefined || failed.failure === null) return null;
  const said = (failed.failure.text.split("\n")[0] ?? "").slice(0, FIRST_WORDS);
  const found = ofLibrary(trials, failed) ?? ofHosts(trials) ?? { text: `${names(failed.hosts)} cannot sum together`, host: failed.failure.host, fix: "" };
  const fix = found.fix !== "" ? found.fix : FIX_OF_STAGE[failed.metMs === null ? "meet" : "sum"];
  return { ...found, text: `${found.text}: ${said}`, fix };
}

const FIX_OF_STAGE = {
  meet: "look at port.rdzv, ver.torch and time.skew of these hosts, then at the trial's own words: nexadist logs {run}",
  sum: "look at net.iface, port.ephemeral and net.mtu of these hosts, then at the trial's own words: nexadist logs {run}",
} as const;

/** Gloo does on the same hosts what NCCL does not: network and ports are fine. */
function ofLibrary(trials: readonly Trial[], failed: Trial): Conclusion | null {
  if (failed.backend !== "nccl") return null;
  const sameHosts = trials.filter((trial) => trial.hosts.join() === failed.hosts.join() && trial.isWhole === failed.isWhole);
  if (!sameHosts.some((trial) => trial.backend === "gloo" && !hasFailed(trial))) return null;
  const cure = sameHosts.find((trial) => trial.backend === "nccl" && !hasFailed(trial) && Object.keys(trial.env).length > 0);
  const host = failed.failure?.host ?? null;
  const ofWhom = cure === undefined ? ofHosts(trials, "nccl") : null;
  if (ofWhom !== null) return { ...ofWhom, text: `by NCCL ${ofWhom.text}; gloo works`, fix: "see what NCCL says: nexadist logs {run} --stream nccl" };
  if (cure === undefined)
    return { text: "gloo works between the same hosts, NCCL does not", host, fix: "see what NCCL says: nexadist logs {run} --stream nccl" };
  const set = Object.entries(cure.env).map(([name, value]) => `${name}=${value}`);
  const what =
    "NCCL_IB_DISABLE" in cure.env ? "RDMA (InfiniBand or RoCE)" : "NCCL_SHM_DISABLE" in cure.env ? "shared memory (/dev/shm)" : "peer-to-peer between GPUs";
  return {
    text: `NCCL works with ${set.join(" ")}, not without: ${what} is what fails`,
    host,
    fix: `until it is mended, in the file: env: {${set.map((each) => each.replace("=", ': "')).join('", ')}"}`,
  };
}

/** Pairs of one rank each: two failures share a host, or one failure is a link's. */
function ofHosts(trials: readonly Trial[], backend: Trial["backend"] = "gloo"): Conclusion | null {
  const isPlain = ({ env }: Trial): boolean => Object.keys(env).length === 0;
  const pairs = trials.filter((trial) => trial.hosts.length === 2 && !trial.isWhole && trial.backend === backend && isPlain(trial));
  const bad = pairs.filter(hasFailed).map(({ hosts }) => hosts);
  const good = pairs.filter((trial) => !hasFailed(trial)).flatMap(({ hosts }) => hosts);
  const [first] = bad;
  if (first === undefined) return null;
  const suspects = first.filter((name) => !good.includes(name));
  const [suspect] = suspects;
  if (suspects.length === 0 && bad.length === 1) {
    const [a = "", b = ""] = first;
    return { text: `${a} and ${b} cannot sum with each other, each can with another host: it is between them`, host: b, peer: a, fix: "" };
  }
  if (suspects.length === 1 && suspect !== undefined && bad.length > 1 && bad.every((hosts) => hosts.includes(suspect)))
    return {
      text: `${suspect} cannot sum with ${names([...new Set(bad.flat())].filter((name) => name !== suspect))}, who can with each other or with others`,
      host: suspect,
      fix: "",
    };
  return null;
}
