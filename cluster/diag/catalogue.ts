/** Every check that there is, in the order in which groups are shown. */

import type { Check, Group } from "./check.ts";
import { ACCESS } from "./checks/access.ts";

export const GROUPS: readonly Group[] = ["access", "system", "versions", "gpu", "network", "disk", "time", "distributed"];

export const CHECKS: readonly Check[] = [...ACCESS];

export const checkOf = (id: string): Check | null => CHECKS.find((check) => check.id === id.toLowerCase()) ?? null;
