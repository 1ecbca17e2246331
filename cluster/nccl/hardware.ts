/** Asks a host for what NCCL could use: how its GPUs reach each other, and its cards with RDMA. */

import { readTopology } from "../nvidia/topology.ts";
import type { Hardware } from "./judge.ts";

/** The matrix, and after a line of its own the cards. A driver that hangs is given up. */
export const HARDWARE_LOOK = ["sh", "-c", "timeout 5 nvidia-smi topo -m; echo --rdma; ls /sys/class/infiniband 2>/dev/null"] as const;

export const UNKNOWN_HARDWARE: Hardware = { topology: null, rdma: null };

export function readHardware(out: string): Hardware {
  const [matrix = "", cards] = out.split(/^--rdma$/m);
  const topology = readTopology(matrix);
  return { topology: "problem" in topology ? null : topology, rdma: cards === undefined ? null : cards.split(/\s+/).filter((word) => word !== "") };
}
