/** Every check that there is, in the order in which groups are shown. */

import type { Check, Group } from "./check.ts";
import { ACCESS } from "./checks/access.ts";
import { CODE_CLUSTER, CODE_HOST } from "./checks/code.ts";
import { DISK, DISK_CLUSTER } from "./checks/disk.ts";
import { KERNEL } from "./checks/kernel.ts";
import { LIMITS } from "./checks/limits.ts";
import { LINKS } from "./checks/links.ts";
import { MACHINE } from "./checks/machine.ts";
import { NETWORK } from "./checks/network.ts";
import { SYSTEM } from "./checks/system.ts";
import { TIME } from "./checks/time.ts";
import { VERSIONS_CLUSTER, VERSIONS_HOST } from "./checks/versions.ts";

export const GROUPS: readonly Group[] = ["access", "system", "versions", "gpu", "network", "disk", "time", "distributed"];

export const CHECKS: readonly Check[] = [
  ...ACCESS,
  ...SYSTEM,
  ...MACHINE,
  ...LIMITS,
  ...KERNEL,
  ...VERSIONS_HOST,
  ...VERSIONS_CLUSTER,
  ...CODE_HOST,
  ...CODE_CLUSTER,
  ...NETWORK,
  ...LINKS,
  ...DISK,
  ...DISK_CLUSTER,
  ...TIME,
];

export const checkOf = (id: string): Check | null => CHECKS.find((check) => check.id === id.toLowerCase()) ?? null;
