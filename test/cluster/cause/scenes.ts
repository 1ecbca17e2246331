/** Evidence of attempts for the tests of the root cause. */

import { type ErrorFile, type Evidence, NO_EVIDENCE, type RankExit, type Tail } from "../../../cluster/cause/evidence.ts";

export const HOSTS = ["gpu-a", "gpu-b"] as const;
export const hostOf = (rank: number): string => HOSTS[rank < 4 ? 0 : 1];
export const pidOf = (rank: number): number => 1000 + rank;
const ranks = Array.from({ length: 8 }, (_, rank) => ({ rank, host: hostOf(rank), pid: pidOf(rank) }));

export type End = Partial<Pick<RankExit, "code" | "signal" | "isStopped" | "seenAt" | "heardAt">> & { readonly err?: string };

/** `at` in ms, both clocks. */
export const exit = (rank: number, at: number, end: End): RankExit => ({
  rank,
  host: hostOf(rank),
  pid: pidOf(rank),
  code: end.code ?? null,
  signal: end.signal ?? null,
  seenAt: end.seenAt ?? at,
  heardAt: end.heardAt ?? at,
  isStopped: end.isStopped ?? false,
});

export const err = (rank: number, text: string): Tail => ({ host: hostOf(rank), stream: `rank${rank}.err`, rank, text });
export const launcherErr = (host: string, text: string): Tail => ({ host, stream: "launcher.err", rank: null, text });
export const errorFile = (rank: number, message: string, at = 0): ErrorFile => ({ host: hostOf(rank), rank, message, callstack: "", at });

export const traceback = (error: string, at = "train.py", line = 88, name = "step"): string =>
  `Traceback (most recent call last):\n  File "/home/u/run/${at}", line ${line}, in ${name}\n    go()\n${error}\n`;

export const GLOO = traceback(
  "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [10.0.0.2]:17808. This is typically caused by a remote worker crashing.",
);
export const NCCL_REMOTE = traceback(
  "torch.distributed.DistBackendError: NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.hpp:268, remote process exited or there was a network error, NCCL version 2.21.5",
);
export const WATCHDOG =
  "[rank5]:[E623 21:21:18.894757790 ProcessGroupNCCL.cpp:760] [Rank 5] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=10, OpType=BROADCAST, NumelIn=1, NumelOut=1, Timeout(ms)=600000) ran for 600021 milliseconds before timing out.\nterminate called after throwing an instance of 'c10::DistBackendError'\n";

export const scene = (part: Partial<Evidence>): Evidence => ({ ...NO_EVIDENCE, world: 8, ranks, ...part });
