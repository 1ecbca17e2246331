/** Findings of `nccl`: ways that NCCL takes and that are slower than what the hardware has. No line shows them; cluster/nccl/judge.ts does. */

import { inFamily } from "./finding.ts";

export const NCCL_WAYS = inFamily("nccl", "network", [
  {
    code: "NCCL_NVLINK_UNUSED",
    title: "GPUs with an NVLink between them do not use it",
    role: "watch",
    patterns: [],
    cause:
      "NCCL_P2P_DISABLE or NCCL_P2P_LEVEL keeps it off, a container does not see the other GPU, or the fabric manager does not run on a host with NVSwitch.",
    remedy:
      "Unset NCCL_P2P_DISABLE and NCCL_P2P_LEVEL; start the container with --gpus all and --ipc=host; sudo systemctl status nvidia-fabricmanager. Verify: nexadist nccl after the next start.",
  },
  {
    code: "NCCL_P2P_OFF",
    title: "GPUs of one host are connected, and data goes through the host's memory",
    role: "watch",
    patterns: [],
    cause: "The driver has no peer-to-peer for these cards (GeForce 40 and 50), NCCL_P2P_DISABLE is set, or PCIe access control (ACS, IOMMU) forbids it.",
    remedy:
      "With GeForce 40 or 50 it is as it must be. Else: unset NCCL_P2P_DISABLE; nvidia-smi topo -p2p r tells what the driver allows; ACS is switched off in the BIOS of bare metal.",
  },
  {
    code: "NCCL_RDMA_UNUSED",
    title: "NCCL goes over TCP between hosts that have RDMA",
    role: "watch",
    patterns: [],
    cause: "NCCL_IB_DISABLE or NCCL_NET says so, libibverbs is missing (in a container: /dev/infiniband too), or no port of the card is active.",
    remedy:
      "Unset NCCL_IB_DISABLE and NCCL_NET; apt install libibverbs1 ibverbs-providers; --device=/dev/infiniband --ulimit memlock=-1 for containers; ibstat shows State: Active. Where the card is not for these hosts it is as it must be.",
  },
  {
    code: "NCCL_NO_GDR",
    title: "RDMA goes through the host's memory, not straight to the GPU",
    role: "watch",
    patterns: [],
    cause: "nvidia_peermem is not loaded and DMA-BUF not available, or GPU and card hang on different CPUs.",
    remedy: "sudo modprobe nvidia_peermem; nvidia-smi topo -m: PIX or PXB between GPU and NIC is near enough, SYS is not (NCCL_NET_GDR_LEVEL=SYS forces it).",
  },
  {
    code: "NCCL_INIT_OPEN",
    title: "ranks began to connect with NCCL and are not ready",
    role: "watch",
    patterns: [],
    cause: "They wait for a rank that has not come to the same call, or for a port that a firewall closes: first contact is on ephemeral ports.",
    remedy: "nexadist hang shows who is where; nexadist diag --full tests the ports between the hosts, both ways.",
  },
]);
