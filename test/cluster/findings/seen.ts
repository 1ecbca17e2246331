/** Lines of other machines and releases than the examples, with the finding that each shows; null: none. */

export const SEEN: readonly (readonly [string, string | null])[] = [
  [
    "[Sun Feb 23 16:24:18 2025] NVRM: Xid (PCI:0000:9b:00): 119, pid=2024380, name=nvidia-smi, Timeout after 6s of waiting for RPC response from GPU4 GSP! Expected function 103 (GSP_RM_ALLOC) (0x2081 0x4).",
    "XID_GSP",
  ],
  [
    "[430954.509105] NVRM: Xid (PCI:0000:52:00): 48, pid='<unknown>', name=<unknown>, An uncorrectable double bit error (DBE) has been detected on GPU",
    "XID_MEMORY",
  ],
  ["[430954.533994] NVRM: Xid (PCI:0000:52:00): 94, pid='<unknown>', name=<unknown>, Contained: SM (0x1). RST: No, D-RST: No", "XID_MEMORY"],
  [
    "[Fri Aug 30 11:43:09 2024] NVRM: Xid (PCI:0000:cb:00): 13, pid='<unknown>', name=<unknown>, Graphics SM Warp Exception on (GPC 7, TPC 7, SM 0)",
    "XID_PROGRAM",
  ],
  ["[Fri Aug 30 11:43:14 2024] NVRM: Xid (PCI:0000:cb:00): 109, pid=1797828, name=pt_main_thread, Ch 00000008, errorString CTX SWITCH TIMEOUT", "XID_PROGRAM"],
  ["[171167.620236] NVRM: Xid (PCI:0009:01:00): 149, NETIR_LINK_EVT  Fatal   XC0 i0 Link 01 (0x021425c6 0x00000000)", "XID_NVLINK"],
  ["[171167.621162] NVRM: Xid (PCI:0009:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)", "XID_OTHER"],
  ["               NVRM: fallen off the bus and is not responding to commands.", "XID_BUS"],
  ["NVRM: GPU 0000:29:00.0: GPU has fallen off the bus.", "XID_BUS"],
  ["[186965.348898] nvidia-nvswitch2: SXid (PCI:0000:85:00.0): 12028, Non-fatal, Link 61 egress non-posted PRIV error (First)", "XID_NVLINK"],
  ["[Sun Feb 23 16:24:18 2025] NVRM: GPU at PCI:0000:9b:00: GPU-509665ad-b600-ac93-3616-d754b23d636d", null],
  ["[   18.617069] mlx5_core 0000:9c:00.0: 252.056 Gb/s available PCIe bandwidth, limited by 32.0 GT/s PCIe x8 link at 0000:97:01.0", null],
  ["NCCL WARN Bootstrap : no socket interface found", "NCCL_NO_INTERFACE"],
  ["Mismatched NCCL version detected : rank 1 version 22705 rank 0 version 22703", "NCCL_VERSIONS"],
  ["worker0-0d9gnb:15:91 [3] include/socket.h 398 NCCL WARN Call to recv failed : Connection reset by peer.", "NCCL_SOCKET_BROKE"],
  ["[W ...] Unable to resolve hostname to a (local) address. Using the loopback address as fallback.", "GLOO_LOOPBACK"],
  ["RuntimeError: Gloo connectFullMesh failed with [../third_party/gloo/gloo/transport/tcp/pair.cc:144] no error", "GLOO_CONNECT"],
  ["slurm-train-compute-0-0:2139:2139 [0] NCCL INFO Using network Socket", "NCCL_OVER_TCP"],
  ["slurm-train-compute-0-0:2139:2139 [0] NCCL INFO NET/IB : No device found.", null],
  ["oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/job,task_memcg=/job,task=python3,pid=17041,uid=1000", "KERNEL_OOM"],
  ["Memory cgroup out of memory: Killed process 17041 (python3) total-vm:98213744kB, anon-rss:32505856kB, file-rss:0kB, shmem-rss:0kB", "KERNEL_OOM"],
  [
    "Memory cgroup out of memory: Killed process 12730 (python3) total-vm:323780kB, anon-rss:65280kB, file-rss:6592kB, shmem-rss:0kB, UID:0 pgtables:184kB",
    "KERNEL_OOM",
  ],
  ["python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", null],
  ["dmesg: read kernel buffer failed: Operation not permitted", null],
  ["Permission denied (publickey,password).", "SSH_REFUSED"],
  ["kex_exchange_identification: Connection closed by remote host", "SSH_REFUSED"],
];
