/** Limits of a login and of its control groups: what ranks may open, start and pin. */

import * as z from "zod";
import type { HostCheck, HostProbe } from "../check.ts";
import { on, steps } from "../cure.ts";
import { ranksOn, wantsGpus } from "../ranks.ts";
import { cannotSay, failed, jsonOf, numberIn, pass, skip, warn } from "../read.ts";

const limit = z.object({ soft: z.number().nullable(), hard: z.number().nullable() });
const limits = z.object({ nofile: limit, nproc: limit, memlock: limit, core: limit, files: z.record(z.string(), z.string()) });
const cgroup = z.object({ files: z.record(z.string(), z.string()), cpus: z.number().positive(), online: z.number().nullable() });

const said = (value: number | null): string => (value === null ? "unlimited" : `${value}`);

/** The least of the values that files with this name give; "max" and huge numbers are none. null: no limit. */
function least(probe: HostProbe, name: string): number | null {
  const { files } = jsonOf(probe, "cgroup", cgroup);
  const values = Object.entries(files)
    .filter(([path]) => path.endsWith(`/${name}`))
    .map(([path, text]) => (text.trim() === "max" ? Number.POSITIVE_INFINITY : numberIn(text, path)))
    .filter((value) => value < 2 ** 60);
  return values.length === 0 ? null : Math.min(...values);
}

/** CPUs that the groups allow, from quota and period; null: no limit. */
function quotaCpus(probe: HostProbe): number | null {
  const { files } = jsonOf(probe, "cgroup", cgroup);
  const found: number[] = [];
  for (const [path, text] of Object.entries(files)) {
    const [quota = "", period = ""] = path.endsWith("/cpu.max")
      ? text.trim().split(" ")
      : path.endsWith("/cpu.cfs_quota_us")
        ? [text.trim(), (files[path.replace("quota", "period")] ?? "").trim()]
        : ["max", ""];
    if (quota === "max" || quota === "-1") continue;
    const cpus = numberIn(quota, path) / numberIn(period, path);
    if (!Number.isFinite(cpus)) throw cannotSay(`${path}: ${text.trim()}`);
    found.push(cpus);
  }
  return found.length === 0 ? null : Math.min(...found);
}

const base = { group: "system", tier: "quick", scope: "host", needs: [], isBlocking: false } as const;
const IN_CONTAINER = "in a container: start it with";

const LIMITS_LINE = (what: string, value: string): string =>
  steps(
    // "*" is everybody but root.
    on(`printf '%s\\n' '* - ${what} ${value}' 'root - ${what} ${value}' | sudo tee /etc/security/limits.d/90-${what}.conf`, "holds for logins from then on"),
    `# ${IN_CONTAINER} --ulimit ${what}=${value === "unlimited" ? "-1" : value}`,
  );

export const LIMITS: readonly HostCheck[] = [
  {
    ...base,
    id: "sys.nofile",
    title: "the limit of open files",
    why: "data loaders and sockets of every peer need many; torch ends with Too many open files",
    fix: LIMITS_LINE("nofile", "1048576"),
    who: "root",
    verify: on("ulimit -n"),
    isBlocking: true,
    proof: "broken",
    judge: (probe) => {
      const { nofile, files } = jsonOf(probe, "limits", limits);
      const [used, , most] = (files["/proc/sys/fs/file-nr"] ?? "").trim().split(/\s+/);
      const observed = `${said(nofile.soft)} (hard ${said(nofile.hard)})`;
      if (nofile.soft !== null && nofile.soft < 512) return failed(observed, { expected: "4096 or more" });
      if (nofile.soft !== null && nofile.soft < 4096) return warn(observed, { expected: "4096 or more" });
      const share = numberIn(used, "file-nr") / numberIn(most, "file-nr");
      if (share > 0.8) return warn(`${observed}, but ${Math.round(share * 100)} % of all that the machine may open is open`);
      return pass(observed);
    },
  },
  {
    ...base,
    id: "sys.nproc",
    title: "the limit of processes",
    why: "threads of OpenMP and data loaders count: Resource temporarily unavailable",
    fix: LIMITS_LINE("nproc", "unlimited"),
    who: "root",
    verify: on("ulimit -u"),
    proof: "broken",
    judge: (probe) => {
      const { nproc, files } = jsonOf(probe, "limits", limits);
      const pidMax = numberIn(files["/proc/sys/kernel/pid_max"], "pid_max");
      const pids = least(probe, "pids.max");
      const most = Math.min(nproc.soft ?? Number.POSITIVE_INFINITY, pidMax, pids ?? Number.POSITIVE_INFINITY);
      const by = most === pids ? "the control group (TasksMax)" : most === pidMax ? "kernel.pid_max" : "ulimit -u";
      if (most < 1024) return failed(`${most}, by ${by}`, { expected: "4096 or more" });
      if (most < 4096) return warn(`${most}, by ${by}`, { expected: "4096 or more" });
      return pass(`${most}, by ${by}`);
    },
  },
  {
    ...base,
    id: "sys.memlock",
    title: "the limit of pinned memory",
    why: "RDMA registers memory; over TCP it does not matter",
    fix: LIMITS_LINE("memlock", "unlimited"),
    who: "root",
    verify: on("ulimit -l"),
    proof: "unproven",
    judge: (probe, host) => {
      const { memlock } = jsonOf(probe, "limits", limits);
      const observed = memlock.soft === null ? "unlimited" : `${Math.round(memlock.soft / 1024)} KiB`;
      if (memlock.soft === null || memlock.soft >= 16 * 2 ** 30) return pass(observed);
      if (!wantsGpus(host)) return skip("no GPU is wanted here: nothing pins memory for the network");
      const hasRdma = probe.facts.interfaces.some(({ name }) => /^(ib|mlx|hsn|rdma)/.test(name));
      return hasRdma ? warn(observed, { expected: "unlimited, with an InfiniBand interface" }) : pass(`${observed}; no RDMA interface`);
    },
  },
  {
    ...base,
    id: "sys.cgroup",
    title: "CPUs for each rank",
    why: "with less than one, ranks, data loading and communication wait for one another",
    fix: "give the container or the unit more: docker --cpus=N, or systemctl edit and CPUQuota=; else fewer ranks here (gpus or slots in the file)",
    who: "admin",
    verify: on("nproc"),
    proof: "unproven",
    judge: (probe, host) => {
      const { cpus } = jsonOf(probe, "cgroup", cgroup);
      const quota = quotaCpus(probe);
      const have = Math.min(cpus, quota ?? cpus);
      const ranks = Math.max(1, ranksOn(host, probe.facts));
      const observed = `${Number(have.toFixed(1))} CPUs for ${ranks} rank${ranks === 1 ? "" : "s"}${quota === null || quota >= cpus ? "" : ` (the machine has ${cpus}, a quota allows fewer)`}`;
      return have / ranks < 1 ? warn(observed, { expected: "1 each at least, better 4" }) : pass(observed);
    },
  },
  {
    ...base,
    id: "sys.memory_limit",
    title: "the memory limit of the control group",
    why: "the kernel ends ranks that pass it",
    fix: "give the container or the unit more: docker --memory, or systemctl edit and MemoryMax=",
    who: "admin",
    verify: on("cat /sys/fs/cgroup/memory.max"),
    proof: "unproven",
    judge: (probe) => {
      const values = [least(probe, "memory.max"), least(probe, "memory.limit_in_bytes")].filter((value) => value !== null);
      const most = Math.min(...values, probe.facts.memoryBytes);
      if (values.length === 0 || most >= probe.facts.memoryBytes) return pass("no limit below the machine's memory");
      const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
      const gpuBytes = (probe.facts.gpus ?? []).reduce((sum, gpu) => sum + (gpu.memoryMiB ?? 0) * 2 ** 20, 0);
      const observed = `${gib(most)} of the machine's ${gib(probe.facts.memoryBytes)}`;
      if (gpuBytes > 0 && most < 1.5 * gpuBytes) return warn(observed, { expected: `1.5 times the memory of the GPUs, ${gib(1.5 * gpuBytes)}` });
      return most < 2 ** 30 ? warn(observed, { expected: "1 GiB or more" }) : pass(observed);
    },
  },
];
