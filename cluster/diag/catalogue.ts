/** Every check that there is, in the order in which groups are shown. */

import type { Check, Group } from "./check.ts";
import { ACCESS } from "./checks/access.ts";
import { CODE_CLUSTER, CODE_HOST } from "./checks/code.ts";
import { DISK, DISK_CLUSTER } from "./checks/disk.ts";
import { DISTRIBUTED } from "./checks/distributed.ts";
import { GPU } from "./checks/gpu.ts";
import { GPU_CLUSTER } from "./checks/gpu-cluster.ts";
import { GPU_HEALTH } from "./checks/gpu-health.ts";
import { GPU_HOST } from "./checks/gpu-host.ts";
import { GPU_LINKS } from "./checks/gpu-links.ts";
import { GPU_LOAD } from "./checks/gpu-load.ts";
import { GPU_TORCH } from "./checks/gpu-torch.ts";
import { GPU_USE } from "./checks/gpu-use.ts";
import { GPU_WORK } from "./checks/gpu-work.ts";
import { KERNEL } from "./checks/kernel.ts";
import { LIMITS } from "./checks/limits.ts";
import { LINKS } from "./checks/links.ts";
import { MACHINE } from "./checks/machine.ts";
import { NETWORK } from "./checks/network.ts";
import { SYSTEM } from "./checks/system.ts";
import { TAILSCALE } from "./checks/tailscale.ts";
import { TIME } from "./checks/time.ts";
import { TORCH_IMPORT } from "./checks/torch-import.ts";
import { VERSIONS_CLUSTER, VERSIONS_HOST } from "./checks/versions.ts";

export const GROUPS: readonly Group[] = ["access", "system", "versions", "gpu", "network", "disk", "time", "distributed"];

export const CHECKS: readonly Check[] = [
  ...ACCESS,
  ...SYSTEM,
  ...MACHINE,
  ...LIMITS,
  ...KERNEL,
  ...VERSIONS_HOST,
  ...TORCH_IMPORT,
  ...VERSIONS_CLUSTER,
  ...CODE_HOST,
  ...CODE_CLUSTER,
  ...GPU,
  ...GPU_CLUSTER,
  ...GPU_HEALTH,
  ...GPU_LOAD,
  ...GPU_USE,
  ...GPU_LINKS,
  ...GPU_HOST,
  ...GPU_TORCH,
  ...GPU_WORK,
  ...NETWORK,
  ...LINKS,
  ...TAILSCALE,
  ...DISK,
  ...DISK_CLUSTER,
  ...TIME,
  ...DISTRIBUTED,
];

export const checkOf = (id: string): Check | null => CHECKS.find((check) => check.id === id.toLowerCase()) ?? null;
