/** All findings. Order is precedence: of several that fit one line the first names it. */

import { CUDA } from "./cuda.ts";
import type { Finding } from "./finding.ts";
import { GLOO } from "./gloo.ts";
import { HOST } from "./host.ts";
import { KERNEL } from "./kernel.ts";
import { NCCL } from "./nccl.ts";
import { NCCL_WAYS } from "./nccl-ways.ts";
import { RENDEZVOUS } from "./rendezvous.ts";
import { TELEMETRY } from "./telemetry.ts";
import { TORCH_NCCL } from "./torch-nccl.ts";
import { TORCHRUN } from "./torchrun.ts";

export const FINDINGS: readonly Finding[] = [
  ...RENDEZVOUS,
  ...TORCHRUN,
  ...TORCH_NCCL,
  ...NCCL,
  ...NCCL_WAYS,
  ...GLOO,
  ...CUDA,
  ...KERNEL,
  ...HOST,
  ...TELEMETRY,
];

const byCode: ReadonlyMap<string, Finding> = new Map(FINDINGS.map((finding) => [finding.code, finding]));

export const findingOf = (code: string): Finding | null => byCode.get(code) ?? null;
