/** What each finding looks like in a real log, by code: at least one line. Numbers and names are as they were seen. */

export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  RDZV_REPLACEMENT_DEADLOCK: ["torch.distributed.DistStoreError: wait timeout after 60000ms, keys: /torch.rendezvous.j1.1/MASTER_ADDR"],
  RDZV_TIMEOUT: ["torch.distributed.elastic.rendezvous.api.RendezvousTimeoutError"],
  RDZV_CLOSED: ["torch.distributed.elastic.rendezvous.api.RendezvousClosedError"],
  STORE_UNREACHABLE: [
    "[E1123 12:42:22.738398283 socket.cpp:1028] [c10d] The client socket has timed out after 60000ms while trying to connect to (100.64.0.1, 29400).",
  ],
  STORE_CLIENTS_MISSING: ["torch.distributed.DistStoreError: Timed out after 901 seconds waiting for clients. 1/2 clients joined."],
  STORE_KEY_MISSING: ["torch.distributed.DistStoreError: wait timeout after 600000ms, keys: /default_pg/0//cuda//0"],
  STORE_GONE: ["torch.distributed.DistNetworkError: Failed to recv, got 0 bytes. Connection was likely closed. Did the remote server shutdown or crash?"],
  RDZV_KEEPALIVE: [
    "W1123 12:15:05.970000 4727 torch/distributed/elastic/rendezvous/dynamic_rendezvous.py:1298] The node '127.0.0.2_4727_0' has failed to shutdown the rendezvous 'j1' due to an error of type RendezvousConnectionError.",
  ],
  RDZV_CONNECTION: [
    "torch.distributed.elastic.rendezvous.api.RendezvousConnectionError: The connection to the C10d store has failed. See inner exception for details.",
  ],
  STORE_DUMP_FLAG: [
    '[rank3]:[W801 09:12:44.120000000 ProcessGroupNCCL.cpp:1771] [PG ID 0 PG GUID 0 Rank 3] Failed to check the "should dump" flag on TCPStore, (maybe TCPStore server has shut down too early), with error: Broken pipe',
  ],
  ADDRESS_IN_USE: [
    "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. port: 29500, useIpv6: false, code: -98, name: EADDRINUSE, message: address already in use",
  ],
  ACCELERATE_PORT_IN_USE: [
    "ConnectionError: Tried to launch distributed communication on port `29500`, but another process is utilizing it. Please specify a different port",
  ],
  RANK_VARIABLES_MISSING: ["ValueError: Error initializing torch.distributed using env:// rendezvous: environment variable RANK expected, but not set"],
  NODE_RANK_IGNORED: [
    "W1123 12:43:07.265000 12133 torch/distributed/run.py:865] node_rank is only used for static rdzv_backend. It will be ignored for rdzv_backend=c10d.",
  ],
  MASTER_ADDR_IGNORED: [
    "W1123 12:44:17.540000 13193 torch/distributed/run.py:855] master_addr is only used for static rdzv_backend and when rdzv_endpoint is not specified.",
  ],
  HOST_NAME_UNKNOWN: [
    "[W] [c10d] The IPv6 network addresses of (gpu1.tail1234.ts.net, 29400) cannot be retrieved (gai error: -2 - Name or service not known).",
  ],
  REVERSE_NAME_UNKNOWN: ["[W503 01:52:07.597517393 socket.cpp:204] [c10d] The hostname of the client socket cannot be retrieved. err=-3"],
  WORKER_SIGKILL: [
    "E1123 12:01:09.430000 17035 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: -9) local_rank: 0 (pid: 17041) of binary: /usr/bin/python3",
  ],
  WORKER_SIGBUS: ["ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm)."],
  WORKER_SIGSEGV: ["E0703 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: -11) local_rank: 3 (pid: 2211) of binary: /usr/bin/python3"],
  WORKER_SIGABRT: ["terminate called after throwing an instance of 'c10::DistBackendError'"],
  WORKER_SIGHUP: ["W1123 torch/distributed/elastic/agent/server/api.py:753] Received 1 death signal, shutting down workers"],
  WORKER_SIGTERM: ["exitcode  : -15 (pid: 14269)  (SIGTERM)"],
  LAUNCHER_SIGNAL: ["torch.distributed.elastic.multiprocessing.api.SignalException: Process 7357 got signal: 15"],
  WORKER_FAILED: [
    "E1123 12:43:13.674000 12166 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: 1) local_rank: 1 (pid: 12172) of binary: /usr/bin/python3",
  ],
  WORKER_UNKILLABLE: [
    "Process 4242 did not exit after SIGKILL within 30s; abandoning and continuing teardown. Worker may be in uninterruptible kernel sleep (e.g. wedged on GPU/NIC); host may need to be recycled.",
  ],
  EXIT_BARRIER: ["E1123 torch/distributed/elastic/agent/server/api.py:1008] Error waiting on exit barrier. Elapsed: 24.42963171005249 seconds"],
  STORE_STALE: [
    "[E1123 11:58:08.718707037 ProcessGroupGloo.cpp:67] Gloo connectFullMesh failed with [gloo/transport/tcp/pair.cc:152] timed out connecting: SO_ERROR: Connection refused, remote=[127.0.0.1]:10119$1",
  ],
  NCCL_WATCHDOG_TIMEOUT: [
    "[rank5]:[E623 21:21:18.894757790 ProcessGroupNCCL.cpp:760] [Rank 5] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=10, OpType=BROADCAST, NumelIn=234881024, NumelOut=234881024, Timeout(ms)=600000) ran for 600021 milliseconds before timing out.",
  ],
  NCCL_DUMP_SIGNAL: [
    "[rank3]:[E703 19:54:01.074934955 ProcessGroupNCCL.cpp:1987] [PG ID 0 PG GUID 0(default_pg) Rank 3] Received a dump signal due to a collective timeout from  rank 7 and we will try our best to dump the debug info. Last enqueued NCCL work: 56116, last completed NCCL work: 56116.This is most likely caused by",
  ],
  NCCL_WATCHDOG_DIED: [
    "[rank5]:[E623 21:21:18.895381245 ProcessGroupNCCL.cpp:2197] [PG ID 0 PG GUID 0(default_pg) Rank 5] Process group watchdog thread terminated with exception: [Rank 5] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=10, OpType=BROADCAST",
  ],
  NCCL_WATCHDOG_STUCK: [
    "[rank0]:[F919 07:00:13.418192812 ProcessGroupNCCL.cpp:1653] [PG ID 0 PG GUID 0(default_pg) Rank 0] Terminating the process after attempting to dump debug info, due to ProcessGroupNCCL watchdog hang.",
  ],
  NCCL_TEARDOWN: ["[rank5]:[E623 21:21:18.894772491 ProcessGroupNCCL.cpp:832] [Rank 5] To avoid data inconsistency, we are taking the entire process down."],
  NCCL_GIL_HELD: ["[rank2]:[E] [PG ID 0 PG GUID 0 Rank 2] Could not acquire GIL within 300 ms on exit, possible GIL induced hang"],
  NCCL_ID_FROM_RANK0: [
    "[3] is setting up NCCL communicator and retrieving ncclUniqueId from [0] via c10d key-value store by key '0', but store->get('0') got error: Broken pipe. This may indicate a possible application crash on rank 0 or a network set up issue.",
  ],
  COLLECTIVE_MISMATCH: [
    "RuntimeError: Detected mismatch between collectives on ranks. Rank 1 is running collective: CollectiveFingerPrint(SequenceNumber=42, OpType=BROADCAST), but Rank 0 is running collective: CollectiveFingerPrint(SequenceNumber=42, OpType=ALLREDUCE)",
  ],
  NCCL_SYSTEM: ["ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error."],
  NCCL_REMOTE: [
    "torch.distributed.DistBackendError: NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.hpp:268, remote process exited or there was a network error, NCCL version 2.21.5",
  ],
  NCCL_INTERNAL: ["ncclInternalError: Internal check failed."],
  NCCL_CUDA: ["ng30903:3063028:3066152 [3] include/alloc.h:178 NCCL WARN Cuda failure 'out of memory'"],
  NCCL_SAME_GPU: ["NCCL WARN Multiple Ranks are using the same GPU/Partition. Set NCCL_MULTI_RANK_GPU_ENABLE=1 to enable this configuration."],
  NCCL_DEVICE_GUESSED: [
    "[rank1]:[W] using GPU 1 as device used by this process is currently unknown. This can potentially cause a hang if this rank to GPU mapping is incorrect.",
  ],
  GROUP_NOT_DESTROYED: ["[rank0]:[W] WARNING: destroy_process_group() was not called before program exit, which can leak resources."],
  NCCL_NO_INTERFACE: ["gpu1:4242:4242 [0] bootstrap.cc:126 (bootstrapNetInit) NCCL WARN Bootstrap : no socket interface found"],
  NCCL_CONNECT: [
    "[2026-05-05 06:16:47] gpu2:310:355 [0] os/linux.cc:288 (socketConnectCheck) NCCL WARN ncclOsSocketPollConnect: connect to 100.64.0.1<41234> returned Connection timed out, exceeded error retry count after 35 attempts",
  ],
  NCCL_CONNECT_RETRY: [
    "gpu2:310:355 [0] NCCL INFO ncclOsSocketPollConnect: connect to 100.64.0.1<41234> returned Connection refused, retrying (3/34) after sleep for 300 msec",
  ],
  NCCL_UNROUTABLE: ["gpu2:310:355 [0] os/linux.cc:302 NCCL WARN ncclOsSocketStartConnect: connect to fe80::1%eth0<41234> failed : Network is unreachable"],
  NCCL_PEER_CLOSED: ["node0:3063025:3066048 [0] misc/socket.cc:58 NCCL WARN socketProgress: Connection closed by remote peer node2<42830>"],
  NCCL_SOCKET_BROKE: ["socketProgressOpt: Call to recv from 172.16.0.5<33759> failed : Connection reset by peer"],
  NCCL_VERSIONS: ["NCCL WARN Mismatched NCCL version detected : rank 1 version 22803 rank 0 version 23007"],
  NCCL_TWO_JOBS: ["NCCL WARN Bootstrap Root : rank 1 of 4 ranks has already checked in"],
  NCCL_SHM: ["NCCL WARN Error: failed to extend /dev/shm/nccl-03v824 to 4194660 bytes, error: No space left on device (28)"],
  NCCL_SHM_REMOVED: ["NCCL WARN unlink shared memory /dev/shm/nccl-d5rTd0 failed, error: No such file or directory"],
  NCCL_PLUGIN: ["[2026-05-05 06:16:47] node-01:189884:189884 [3] plugin/net.cc:334 NCCL WARN Failed to initialize any NET plugin"],
  NCCL_NIC_COUNTS: ["NCCL WARN Detected mixed local Net device counts across ranks (min 1, max 4). Set NCCL_IGNORE_NET_MISMATCH=1 to continue."],
  NCCL_OVER_TCP: ["gpu1:1897709:1897731 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] [send] via NET/Socket/0"],
  RDMA_MEMLOCK: ["NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory"],
  RDMA_QUEUE_PAIR: ["NCCL WARN Call to ibv_modify_qp failed with 110 Connection timed out, on dev mlx5_0:1, curr state INIT, next state RTR"],
  RDMA_COMPLETION: [
    "transport/net_ib.cc:2472 NCCL WARN NET/IB: Got completion from peer 192.168.0.20<50854> with status=IBV_WC_RETRY_EXC_ERR(12) opcode=IBV_WC_SEND(0) vendor_err=129 hca mlx5_6",
  ],
  RDMA_PORT_EVENT: ["NCCL WARN NET/IB : mlx5_3:1 Got non-fatal async event: port error(10)"],
  GLOO_LOOPBACK: [
    "[W ProcessGroupGloo.cpp:739] Warning: Unable to resolve hostname to a (local) address. Using the loopback address as fallback. Manually set the network interface to bind to with GLOO_SOCKET_IFNAME. (function operator())",
  ],
  GLOO_CONNECT: ["RuntimeError: Gloo connectFullMesh failed with [gloo/transport/tcp/pair.cc:144] no error"],
  GLOO_INTERFACE: ["RuntimeError: [enforce fail at gloo/transport/tcp/device.cc:84] ifa != nullptr. Unable to find address for: tailscale0"],
  GLOO_PEER_CLOSED: [
    "[rank0]: RuntimeError: [/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:17808. This is typically caused by a remote worker crashing. Check the logs of the remote worker before reporting an error.",
  ],
  GLOO_TIMEOUT: ["RuntimeError: [gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1800000ms for recv operation to complete"],
  CUDA_OOM: ["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.32 GiB is free."],
  CUDA_ECC: ["RuntimeError: CUDA error: uncorrectable ECC error encountered"],
  CUDA_ILLEGAL_ACCESS: ["RuntimeError: CUDA error: an illegal memory access was encountered"],
  CUDA_ASSERT: ["RuntimeError: CUDA error: device-side assert triggered"],
  CUDA_LAUNCH_FAILURE: ["RuntimeError: CUDA error: unspecified launch failure"],
  CUDA_DRIVER_OLD: ["RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver"],
  CUDA_FABRIC: ["RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized"],
  CUDA_DRIVER_SPLIT: ["RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was attempted on non supported HW"],
  NVML_BROKEN: ["Failed to initialize NVML: Driver/library version mismatch"],
  CUDA_NO_GPU: ["RuntimeError: CUDA error: invalid device ordinal"],
  CUDA_NO_KERNELS: ["CUDA error: no kernel image is available for execution on the device"],
  XID_BUS: ["NVRM: Xid (PCI:0000:2b:00): 79, GPU has fallen off the bus."],
  XID_MEMORY: ["NVRM: Xid (PCI:0000:10:1c): 63, pid=1896, Row Remapper: New row marked for remapping, reset gpu to activate."],
  XID_NVLINK: ["NVRM: Xid (PCI:0000:3b:00): 74, pid=1234, name=python3, NVLink: fatal error detected on link 6"],
  XID_GSP: ["NVRM: Xid (PCI:0000:83:00): 119, pid=2710030, name=nvidia-smi, Timeout waiting for RPC from GSP! Expected function 10 (FREE)"],
  XID_PROGRAM: ["NVRM: Xid (PCI:0000:01:00): 31, pid=4242, name=python3, Ch 00000010, intr 10000000. MMU Fault"],
  XID_OTHER: ["NVRM: Xid (PCI:0000:02:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"],
  KERNEL_OOM: ["Out of memory: Killed process 17041 (python3) total-vm:98213744kB, anon-rss:61234120kB, file-rss:0kB"],
  PCIE_ERRORS: ["pcieport 0000:64:01.0: PCIe Bus Error: severity=Uncorrectable (Fatal), type=Transaction Layer, (Requester ID)"],
  HUNG_TASK: ["INFO: task python3:17041 blocked for more than 120 seconds."],
  NO_SPACE: ["OSError: [Errno 28] No space left on device"],
  SAVE_FAILED: [
    "RuntimeError: [enforce fail at inline_container.cc:668] . unexpected pos 1664 vs 1558",
    "RuntimeError: [enforce fail at inline_container.cc:862] . PytorchStreamWriter failed writing file data/7: file write failed",
  ],
  TOO_MANY_FILES: ["OSError: [Errno 24] Too many open files"],
  DATALOADER_DIED: ["RuntimeError: DataLoader worker (pid 4711) is killed by signal: Killed."],
  WANDB_INIT: ["wandb: ERROR Run initialization has timed out after 90.0 sec. Please try increasing the timeout with the `init_timeout` setting"],
  IMPORT_FAILED: ["ModuleNotFoundError: No module named 'flash_attn'"],
  ACCELERATE_KEYS: [
    "ValueError: The config file at cfg.yaml had unknown keys (['rdzv_id']), please try upgrading your `accelerate` version or fix (and potentially remove) these keys from your config file.",
  ],
  SSH_REFUSED: ["ssh: connect to host 100.64.0.7 port 22: Connection timed out"],
};
