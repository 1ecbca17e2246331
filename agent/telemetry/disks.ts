/** Room on the mounted disks, as `df` tells it: in a process of its own, for a mount whose server is gone holds up whoever looks. */

import { setTimeout as delay } from "node:timers/promises";
import type { DiskSample } from "../../cluster/telemetry/sample.ts";
import { askProgram, findProgram } from "./child.ts";

const ASK_MS = 10_000;
const DISKS_MAX = 64;
/** A change of less than that is no news. In KiB. */
const GRAIN = 4096;

/** `df -kP`; the shortest mount point of each device. */
export function readDf(out: string): Record<string, DiskSample> {
  const found = new Map<string, readonly [mount: string, disk: DiskSample]>();
  for (const line of out.split("\n")) {
    const [, device, total, free, mount] = /^(\S.*?) +(\d{1,15}) +\d{1,15} +(-?\d{1,15}) +\d{1,3}% +(\/.*)$/.exec(line) ?? [];
    if (device === undefined || mount === undefined || Number(total) === 0 || !isDisk(device, mount)) continue;
    const known = found.get(device);
    if (known !== undefined && known[0].length <= mount.length) continue;
    const freeKib = Math.floor(Math.max(0, Number(free)) / GRAIN) * GRAIN;
    found.set(device === "tmpfs" ? mount : device, [mount.slice(0, 256), { totalBytes: Number(total) * 1024, freeBytes: freeKib * 1024 }]);
  }
  return Object.fromEntries([...found.values()].slice(0, DISKS_MAX));
}

/** Memory counts only where torch puts its shared tensors; images of packages are always full. */
const isDisk = (device: string, mount: string): boolean =>
  mount === "/dev/shm" || !(/^(?:tmpfs|devtmpfs|udev|none|shm|cgroup|efivarfs|\/dev\/loop\d+)$/.test(device) || /^\/(?:boot|snap|sys|proc|run)\b/.test(mount));

export type DiskWatch = { readonly now: () => Record<string, DiskSample>; readonly close: () => void };

export function watchDisks(everyMs: number): DiskWatch {
  const closing = new AbortController();
  const { signal } = closing;
  let found: Record<string, DiskSample> = {};
  let foundAt = Number.NEGATIVE_INFINITY;
  const live = async (): Promise<void> => {
    for (; !signal.aborted; await delay(everyMs, undefined, { signal })) {
      const df = findProgram("df");
      if (df === null) continue;
      const { out, cut, gone } = await askProgram(df, ["-kP"], ASK_MS, signal);
      // With exit code 1 one mount could not be looked at; the others are there.
      if (cut === null) [found, foundAt] = [readDf(out), performance.now()];
      await gone;
    }
  };
  live().catch(() => undefined);
  return { now: () => (performance.now() - foundAt < 3 * everyMs + ASK_MS ? found : {}), close: () => closing.abort() };
}
