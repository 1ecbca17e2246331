/** torchrun with the static rendezvous: node ranks and one address, no polling between agents once started. */

import { launcherProcess } from "./torchrun.ts";
import type { LaunchContext, LauncherPart } from "./types.ts";

export function planTorchrunStatic(c: LaunchContext): LauncherPart {
  const { place, places, input } = c;
  const options = [
    `--nnodes=${places.length}`,
    `--nproc-per-node=${place.nproc}`,
    `--node-rank=${place.groupRank}`,
    `--master-addr=${c.masterAddress}`,
    `--master-port=${input.ports.master}`,
    `--rdzv-id=${input.rdzvId}`,
    `--rdzv-conf=timeout=${Math.ceil(input.spec.timeouts.startMs / 1000)}`,
    "--max-restarts=0",
  ];
  return { vars: [], processes: [launcherProcess(c, options)], pasted: null, notes: [] };
}
