/** torchrun with the c10d rendezvous: every one of its guesses is replaced by what the plan knows. */

import { type ArgvPart, option, wordsOf } from "./argv.ts";
import { endpoint } from "./ports.ts";
import { inFull, programOptions, whyPython, withPrologue } from "./program.ts";
import type { LaunchContext, LauncherPart, PlannedProcess, PlanVar } from "./types.ts";

export function planTorchrun(c: LaunchContext): LauncherPart {
  const { place, input } = c;
  const startS = Math.ceil(input.spec.timeouts.startMs / 1000);
  const isHost = place.groupRank === c.rdzvIndex;
  const options = [
    nnodes(c),
    nprocPerNode(c),
    option("all hosts meet at one store; `launcher: torchrun-static` does without", "--rdzv-backend=c10d"),
    option(whyEndpoint(c), `--rdzv-endpoint=${endpoint(c.rdzvAddress, input.ports.rdzv)}`),
    rdzvId(c),
    option(
      `${isHost ? "this host holds the store" : "another host holds the store"}, torch would guess from names; how long hosts wait for each other is timeouts.start`,
      // read_timeout bounds the first connection too: 60 s is short for a host that imports torch from a cold network disk.
      `--rdzv-conf=is_host=${isHost ? 1 : 0},join_timeout=${startS},read_timeout=${Math.max(60, startS)}`,
    ),
    option(whyLocalAddress(c), `--local-addr=${localAddress(c)}`),
    noRestarts,
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

export const nnodes = ({ places }: LaunchContext): ArgvPart => option("the hosts of the run: exactly so many", `--nnodes=${places.length}`);

export function nprocPerNode({ place, at, input }: LaunchContext): ArgvPart {
  const why = at.host.gpus.kind === "none" || input.cpuOnly ? "CPU ranks of this host: its `slots`" : "ranks of this host: one for each GPU";
  return option(why, `--nproc-per-node=${place.nproc}`);
}

export const rdzvId = ({ input }: LaunchContext): ArgvPart =>
  option("run and attempt: what is left of another attempt cannot join", `--rdzv-id=${input.rdzvId}`);

export const noRestarts: ArgvPart = option(
  "a failure ends the attempt on all hosts; ranks restarted on one host would wait for the others",
  "--max-restarts=0",
);

/** Where nobody named a port a dry run has one to show, not the one of the run. */
export const whyPort = ({ input, at }: LaunchContext): string => (at.dirs.bundle === null && !input.spec.rdzv?.port ? "; `up` takes a free port" : "");

function whyEndpoint(c: LaunchContext): string {
  return `${c.input.spec.rdzv === null ? "the store is on the first host" : "the store is where `rdzv` of the file says"}${whyPort(c)}`;
}

/** `python -m torch.distributed.run` around the prologue, or bare for a paste. */
export function launcherProcess(c: LaunchContext, options: readonly ArgvPart[]): PlannedProcess {
  const run = [option(`${whyPython(c)}; torchrun as a module is this python's own`, c.python, "-m", "torch.distributed.run"), ...options];
  return {
    role: "launcher",
    rank: null,
    localRank: null,
    // torchrun's own directory would else be one more in the host's tmp that nobody removes.
    argv: [...inFull(wordsOf(run)), `--log-dir=${c.at.dirs.attempt}/elastic`, "--no-python", ...withPrologue(c)],
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

const whyLocalAddress = ({ place, masterAddress }: LaunchContext): string =>
  place.groupRank === 0
    ? "becomes MASTER_ADDR, torch would take this host's own name; c10d numbers hosts in the order of this text, and the first of the file is to be the first"
    : `c10d numbers hosts in the order of this text: this one sorts behind ${masterAddress}, as in the file; it is no address and never dialled`;
