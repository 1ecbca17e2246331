/** `nvidia-smi --version`, and the head of its table for drivers that have no such option. Branch 610 renames both lines. */

import { lackOf } from "./cell.ts";

export type SmiVersion = {
  /** Of the kernel's module: 590.48.01. */
  readonly driver: string | null;
  /** The newest CUDA that the driver can serve: 13.1. */
  readonly cuda: string | null;
};

export function readVersion(out: string): SmiVersion {
  const driver = versionAfter(out, ["KMD version", "DRIVER version", "Driver Version"]);
  const cuda = versionAfter(out, ["CUDA UMD version", "CUDA version"]);
  return { driver, cuda };
}

/** "Deprecated, see …" is no version, so the next name is tried. */
function versionAfter(out: string, names: readonly string[]): string | null {
  for (const name of names) {
    const found = new RegExp(`(?:^|[|\\s])${name}\\s*:\\s*([^\\s|]{1,40})`, "im").exec(out)?.[1];
    if (found !== undefined && lackOf(found) === null && /^\d{1,4}(?:\.\d{1,4}){1,3}$/.test(found)) return found;
  }
  return null;
}

/** -1, 0 or 1, by number: 12.10 is newer than 12.9. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = Math.sign((left[at] ?? 0) - (right[at] ?? 0));
    if (difference !== 0) return difference;
  }
  return 0;
}
