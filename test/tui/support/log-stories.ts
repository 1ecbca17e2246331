/** Lines of four hosts as trainers, loggers, Python and NCCL write them. */

import type { LogLine } from "../../../cluster/viewer.ts";
import type { Model } from "../../../tui/model.ts";
import { eventsUpTo, lineOf, modelOf, NOON, specOf, trainingLines } from "./stories.ts";

const HOSTS = ["node-a", "node-b", "node-c", "node-d"] as const;
const hostOf = (rank: number): string => HOSTS[Math.floor(rank / 8)] ?? "";
const ofAll = (at: number, text: (rank: number) => string, more: Partial<LogLine> = {}): LogLine[] =>
  Array.from({ length: 32 }, (_, rank) => lineOf(hostOf(rank), rank, at + rank * 7, text(rank), more));

export const E = "\u001b";

/** All ranks begin alike, train, and two of them have trouble. */
export function lines(): LogLine[] {
  const at = NOON - 60_000;
  const err = { stream: "err" } as const;
  const [a, b] = [hostOf(0), hostOf(11)];
  return [
    lineOf(a, null, at - 5000, "W1101 13:58:55.120000 4000 torch/distributed/run.py:851] Setting OMP_NUM_THREADS to 1", { stream: "launcher" }),
    ...ofAll(at - 4000, (rank) => `[rank${rank}]:[2025-11-01 13:58:56,${100 + rank}] loading /shared/llama3-8b (4 shards)`, err),
    ...ofAll(at - 3000, (rank) => `shard ${rank % 2} of 2 loaded`),
    lineOf(a, 0, at - 2500, `\rwarming up:   0%|          | 0/10\rwarming up:  50%|█████     | 5/10\rwarming up: 100%|██████████| 10/10`, err),
    lineOf(a, 0, at - 2400, `node-a:4000:4201 [0] NCCL INFO Channel 00/16 : 0 1 2 3 4 5 6 7`, { stream: "nccl" }),
    ...trainingLines(specOf(4), NOON).slice(0, 50),
    lineOf(b, 11, NOON - 9000, "", { gap: { from: 0, to: 5_242_880, why: "the host's disk was full" } }),
    lineOf(hostOf(17), 17, NOON - 8500, `${E}[33mnode-c:4017:4300 [1] NCCL WARN NET/IB : Got completion with status=12 vendor err 129${E}[0m`, err),
    ...[
      "Traceback (most recent call last):",
      '  File "/home/ann/llama/train.py", line 212, in <module>',
      "    main()",
      '  File "/home/ann/llama/train.py", line 188, in main',
      "    loss = model(batch).loss",
      "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 3 has a total capacity of 79.10 GiB of which 1.19 GiB is free. Including non-PyTorch memory, this process has 77.90 GiB memory in use.",
    ].map((text, k) => lineOf(b, 11, NOON - 8000 + k, `[rank11]: ${text}`, err)),
    lineOf(a, 0, NOON - 7000, `✅ done 🚀 ${E}]52;c;ZXZpbA==${E}\\ 终端 tab\there`, {}),
  ];
}

export function logStory(more: readonly LogLine[] = []): Model {
  const spec = specOf(4);
  return modelOf({ spec, events: eventsUpTo(spec, "running"), now: NOON, lines: [...lines(), ...more] });
}
