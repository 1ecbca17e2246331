/** Room on the mounted disks, as `df` tells it: in a process of its own, for a mount whose server is gone holds up whoever looks. */

import { readFileSync } from "node:fs";
import type { DiskSample } from "../../cluster/telemetry/sample.ts";
import { askProgram, findProgram } from "./child.ts";
import { repeat } from "./repeat.ts";

const ASK_MS = 10_000;
const DISKS_MAX = 64;
/** A change of less than that is no news. In KiB. */
const GRAIN = 4096;

/** File systems that hold no files of anybody's, or are always full. */
const NO_DISK = /^(?:devtmpfs|ramfs|squashfs|iso9660|proc|sysfs|cgroup2?|efivarfs|autofs|fuse\.(?:lxcfs|snapfuse))$/;

/** Mount points that can be written to and are disks; of memory only where torch puts its shared tensors, /tmp, and where `own` lies. */
export function readMounts(text: string, own: string): ReadonlySet<string> {
  const mounts = new Set<string>();
  for (const line of text.split("\n")) {
    const [, mount = "", type = "", flags = ""] = line.split(" ");
    const isMemory = type === "tmpfs" && mount !== "/dev/shm" && mount !== "/tmp" && !own.startsWith(`${mount}/`);
    if (mount !== "" && !NO_DISK.test(type) && !isMemory && !flags.split(",").includes("ro")) mounts.add(mount.replaceAll("\\040", " "));
    else mounts.delete(mount); // what is mounted over it counts
  }
  return mounts;
}

/** `df -kP`; the shortest mount point of each device. */
export function readDf(out: string, mounts: ReadonlySet<string>): Record<string, DiskSample> {
  const found = new Map<string, readonly [mount: string, disk: DiskSample]>();
  for (const line of out.split("\n")) {
    const [, device, total, free, mount] = /^(\S.*?) +(\d{1,15}) +\d{1,15} +(-?\d{1,15}) +\d{1,3}% +(\/.*)$/.exec(line) ?? [];
    if (device === undefined || mount === undefined || Number(total) === 0 || !mounts.has(mount)) continue;
    const key = device.startsWith("/") ? device : `${device} ${mount}`;
    const known = found.get(key);
    if (known !== undefined && known[0].length <= mount.length) continue;
    const freeKib = Math.floor(Math.max(0, Number(free)) / GRAIN) * GRAIN;
    found.set(key, [mount.slice(0, 256), { totalBytes: Number(total) * 1024, freeBytes: freeKib * 1024 }]);
  }
  return Object.fromEntries([...found.values()].slice(0, DISKS_MAX));
}

export type DiskWatch = { readonly now: () => Record<string, DiskSample>; readonly close: () => void };

/** `own`: where the agent keeps what it has of runs. */
export function watchDisks(everyMs: number, own: string, log: (text: string) => void): DiskWatch {
  const closing = new AbortController();
  const { signal } = closing;
  let found: Record<string, DiskSample> = {};
  let foundAt = Number.NEGATIVE_INFINITY;
  const look = async (): Promise<number> => {
    const df = findProgram("df");
    if (df === null) return everyMs;
    const { out, cut, gone } = await askProgram(df, ["-kP"], ASK_MS, signal);
    // With exit code 1 one mount could not be looked at; the others are there.
    if (cut === null) [found, foundAt] = [readDf(out, readMounts(readFileSync("/proc/self/mounts", "utf8"), own)), performance.now()];
    await gone;
    return everyMs;
  };
  repeat(look, everyMs, signal, log);
  return { now: () => (performance.now() - foundAt < 3 * everyMs + ASK_MS ? found : {}), close: () => closing.abort() };
}
