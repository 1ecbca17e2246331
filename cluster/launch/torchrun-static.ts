/** torchrun with the static rendezvous: node ranks and one address, no polling between agents once started. */

import { option } from "./argv.ts";
import { launcherProcess, nnodes, noRestarts, nprocPerNode, rdzvId, whyPort } from "./torchrun.ts";
import type { LaunchContext, LauncherPart } from "./types.ts";

export function planTorchrunStatic(c: LaunchContext): LauncherPart {
  const { place, input } = c;
  const options = [
    nnodes(c),
    nprocPerNode(c),
    option("this host's place in the file, from 0", `--node-rank=${place.groupRank}`),
    option("rank 0 and the store are on the first host", `--master-addr=${c.masterAddress}`),
    option(`the store's port on the first host${whyPort(c)}`, `--master-port=${input.ports.master}`),
    rdzvId(c),
    option("how long hosts wait for each other: timeouts.start", `--rdzv-conf=timeout=${Math.ceil(input.spec.timeouts.startMs / 1000)}`),
    noRestarts,
  ];
  return { vars: [], processes: [launcherProcess(c, options)], pasted: null, notes: [] };
}
