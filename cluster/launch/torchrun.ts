/** torchrun with the c10d rendezvous: every one of its guesses is replaced by what the plan knows. */

import { endpoint } from "./ports.ts";
import { inFull, programOptions, withPrologue } from "./program.ts";
import type { LaunchContext, LauncherPart, PlannedProcess, PlanVar } from "./types.ts";

export function planTorchrun(c: LaunchContext): LauncherPart {
  const { place, places, input } = c;
  const startS = Math.ceil(input.spec.timeouts.startMs / 1000);
  const isHost = place.groupRank === c.rdzvIndex;
  const options = [
    `--nnodes=${places.length}`,
    `--nproc-per-node=${place.nproc}`,
    "--rdzv-backend=c10d",
    `--rdzv-endpoint=${endpoint(c.rdzvAddress, input.ports.rdzv)}`,
    `--rdzv-id=${input.rdzvId}`,
    // read_timeout bounds the first connection too: 60 s is short for a host that imports torch from a cold network disk.
    `--rdzv-conf=is_host=${isHost ? 1 : 0},join_timeout=${startS},read_timeout=${Math.max(60, startS)}`,
    `--local-addr=${localAddress(c)}`,
    "--max-restarts=0",
  ];
  const vars: PlanVar[] = [
    {
      name: "TORCH_DISABLE_SHARE_RDZV_TCP_STORE",
      value: "1",
      reason: "rank 0 hosts the ranks' own store; the shared one keeps keys of dead ranks",
    },
  ];
  if (c.at.dirs.bundle !== null) {
    vars.push({
      name: "NEXADIST_MASTER_PORT",
      value: String(input.ports.master),
      reason: "the port held on rank 0's host; the prologue makes it MASTER_PORT, torch would pick any",
    });
  }
  return { vars, processes: [launcherProcess(c, options)], pasted: null, notes: [] };
}

/** `python -m torch.distributed.run` around the prologue, or bare for a paste. */
export function launcherProcess(c: LaunchContext, options: readonly string[]): PlannedProcess {
  const run = [c.python, "-m", "torch.distributed.run", ...options];
  return {
    role: "launcher",
    rank: null,
    localRank: null,
    // torchrun's own directory would else be one more in the host's tmp that nobody removes.
    argv: [...inFull(run), `--log-dir=${c.at.dirs.attempt}/elastic`, "--no-python", ...withPrologue(c)],
    vars: [],
    plain: [...run, ...programOptions(c, { noPython: "--no-python", module: "--module" })],
  };
}

/**
 * c10d ranks the nodes by this text. Only the first node's must be an address (it becomes MASTER_ADDR);
 * the others get words that sort behind it in the order of the file. They are never dialled.
 */
function localAddress(c: LaunchContext): string {
  const { groupRank } = c.place;
  if (groupRank === 0) return c.masterAddress;
  const prefix = c.masterAddress < "zz-node-" ? "zz-node-" : "~node-";
  return `${prefix}${String(groupRank).padStart(4, "0")}`;
}
