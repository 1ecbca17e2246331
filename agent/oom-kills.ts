/** How many processes the kernel has killed for want of memory in the cgroup that the agent, and so each attempt, is in; counted from the arming of an attempt. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attemptDir, type Run } from "./run.ts";

const FILE = "oom-kills";

const readText = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

/** cgroup2 counts what is below, also what is gone by now; null where there is no such count. */
function count(): number | null {
  const cgroups = readText("/proc/self/cgroup") ?? "";
  const inside = /^0::(.*)$/m.exec(cgroups)?.[1];
  const first = /^\d+:[^:\n]*\bmemory\b[^:\n]*:(.*)$/m.exec(cgroups)?.[1]; // cgroup 1 counts what was killed in it only
  // In a namespace of its own a cgroup's path may lead out of what is mounted: the mount's top is then the container's.
  const files = [
    ...(inside === undefined
      ? []
      : [join("/sys/fs/cgroup", inside), join("/sys/fs/cgroup/unified", inside), "/sys/fs/cgroup"].map((dir) => join(dir, "memory.events"))),
    ...(first === undefined ? [] : [join("/sys/fs/cgroup/memory", first, "memory.oom_control")]),
    "/sys/fs/cgroup/memory/memory.oom_control",
  ];
  for (const file of files) {
    const kills = /^oom_kill (\d{1,15})$/m.exec(readText(file) ?? "")?.[1];
    if (kills !== undefined) return Number(kills);
  }
  return null;
}

/** Once an attempt; without it `oomKills` is not known. */
export function noteOomKills(run: Run, attempt: number): void {
  const kills = count();
  try {
    if (kills !== null) writeFileSync(join(attemptDir(run, attempt), FILE), String(kills), { flag: "wx", mode: 0o600 });
  } catch {
    // noted already, or no space: only a hint is lost
  }
}

export function oomKills(run: Run, attempt: number): number | null {
  const before = Number(readText(join(attemptDir(run, attempt), FILE)) ?? "x");
  const now = count();
  return now === null || !Number.isInteger(before) ? null : Math.max(0, now - before);
}
