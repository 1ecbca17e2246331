/** Xid events of this host's GPUs in the kernel's log since the boot, where it may be read; read as it grows. */

import { closeSync, constants, openSync, readSync } from "node:fs";
import { isSameBus, readGpuEvents } from "../../cluster/nvidia/kernel-log.ts";

const LOOK_MS = 5000;
/** Of one look: a kernel that floods its log has the rest read later. */
const READS_MAX = 4000;
const RECORD_MAX = 8192;
const CODES_MAX = 100;

export type XidWatch = {
  /** Code → how often; null: the log cannot be read. */
  readonly of: (busId: string) => Readonly<Record<string, number>> | null;
  readonly close: () => void;
};

export function watchXids(path = "/dev/kmsg"): XidWatch {
  const counts = new Map<string, Record<string, number>>();
  const fd = open(path);
  const buffer = Buffer.alloc(RECORD_MAX);
  let lookedAt = Number.NEGATIVE_INFINITY;

  const look = (): void => {
    lookedAt = performance.now();
    let text = "";
    for (let reads = 0; fd !== null && reads < READS_MAX; reads++) {
      try {
        const size = readSync(fd, buffer, 0, RECORD_MAX, null);
        if (size === 0) break;
        text += buffer.toString("utf8", 0, size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EPIPE") break; // EPIPE: overwritten meanwhile, the next one is there. EAGAIN: no more
      }
    }
    if (!text.includes("NVRM")) return;
    const lines = text.split("\n").map((line) => line.replace(/^\d+,\d+,\d+,[^;]*;/, ""));
    for (const { kind, code, busId } of readGpuEvents(lines)) {
      if (kind !== "xid" || busId === "") continue;
      const own = counts.get(busId) ?? {};
      if (Object.keys(own).length < CODES_MAX) own[String(code)] = (own[String(code)] ?? 0) + 1;
      counts.set(busId, own);
    }
  };
  return {
    of: (busId) => {
      if (fd === null) return null;
      if (performance.now() - lookedAt > LOOK_MS) look();
      return [...counts].find(([known]) => isSameBus(known, busId))?.[1] ?? {};
    },
    close: () => {
      if (fd !== null) closeSync(fd);
    },
  };
}

function open(path: string): number | null {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}
