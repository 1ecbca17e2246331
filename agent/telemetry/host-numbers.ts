/** What /proc and /sys tell of this host by the second: CPU, memory, pressure, disks' and interfaces' counters. What cannot be read is left out. */

import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { NetSample, Sample } from "../../cluster/telemetry/sample.ts";

type Host = Sample["host"];

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};
const known = <K extends string>(key: K, value: number | undefined): { [N in K]?: number } =>
  (value === undefined || !Number.isFinite(value) ? {} : { [key]: value }) as { [N in K]?: number };

export type Cpu = { readonly busy: number; readonly all: number };

/** The first line of /proc/stat, in ticks; null: it is not that. */
export function readCpu(stat: string): Cpu | null {
  const ticks = /^cpu +([\d ]+)$/m.exec(stat)?.[1]?.trim().split(" ").map(Number);
  if (ticks === undefined || ticks.length < 4) return null;
  const all = ticks.slice(0, 8).reduce((sum, n) => sum + n, 0); // guest time is in user's already
  return { all, busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0) };
}

const KIB = 1024;
/** A change of less than that is no news. */
const GRAIN = 4 * 1024 * KIB;

export function readMemory(text: string): Host {
  const bytes = (name: string): number | undefined => {
    const kib = new RegExp(`^${name}: +(\\d{1,15}) kB$`, "m").exec(text)?.[1];
    return kib === undefined ? undefined : Number(kib) * KIB;
  };
  const round = (n: number | undefined): number | undefined => (n === undefined ? undefined : Math.round(n / GRAIN) * GRAIN);
  const [total, free] = [bytes("SwapTotal"), bytes("SwapFree")];
  return {
    ...known("memoryTotalBytes", bytes("MemTotal")),
    ...known("memoryAvailableBytes", round(bytes("MemAvailable"))),
    ...known("swapTotalBytes", total),
    ...known("swapUsedBytes", total === undefined || free === undefined ? undefined : total - free),
  };
}

/** Percent of the last 10 s in which some task waited. */
export function readPressure(text: string): number | undefined {
  const share = /^some avg10=(\d{1,3}\.\d\d) /m.exec(text)?.[1];
  return share === undefined ? undefined : Number(share);
}

export function readNets(text: string): Record<string, NetSample> {
  const nets: Record<string, NetSample> = {};
  for (const line of text.split("\n")) {
    const [, name, rest] = /^ *([^ :]{1,64}): *([\d ]+)$/.exec(line) ?? [];
    const n = rest?.trim().split(/ +/).map(Number);
    // A container's end of a pair carries what its own interface carries as well.
    if (name === undefined || n === undefined || n.length < 16 || name === "lo" || /^veth/.test(name)) continue;
    nets[name] = { rxBytes: n[0], rxErrors: n[2], rxDropped: n[3], txBytes: n[8], txErrors: n[10], txDropped: n[11] };
  }
  return nets;
}

/** Whole disks only: their parts are in them, and so is what device mapper and RAID put on them. */
export function readDiskBytes(diskstats: string): { readonly read: number; readonly written: number } | null {
  const rows = diskstats.split("\n").flatMap((line) => {
    const [, , name, , , sectorsRead, , , , sectorsWritten] = line.trim().split(/ +/);
    const isWhole = /^(?:sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(name ?? "");
    return isWhole ? [{ read: Number(sectorsRead) * 512, written: Number(sectorsWritten) * 512 }] : [];
  });
  if (rows.length === 0) return null;
  return { read: rows.reduce((sum, row) => sum + row.read, 0), written: rows.reduce((sum, row) => sum + row.written, 0) };
}

export type HostReader = { readonly now: () => Host; readonly nets: () => Record<string, NetSample> };

export function readHost(): HostReader {
  let before: Cpu | null = null;
  const cpus = [...read("/proc/stat").matchAll(/^cpu\d+ /gm)].length;
  let links: Record<string, NetSample> = {};
  let linksAt = Number.NEGATIVE_INFINITY;
  return {
    now: () => {
      const cpu = readCpu(read("/proc/stat"));
      const spent = cpu === null || before === null || cpu.all <= before.all ? undefined : (cpu.busy - before.busy) / (cpu.all - before.all);
      before = cpu;
      const disks = readDiskBytes(read("/proc/diskstats"));
      const pressure = (of: string): number | undefined => readPressure(read(`/proc/pressure/${of}`));
      return {
        ...known("cpuUse", spent === undefined ? undefined : Math.round(Math.min(1, Math.max(0, spent)) * 1000) / 10),
        ...known("cpus", cpus === 0 ? undefined : cpus),
        ...known("load1", Number.parseFloat(read("/proc/loadavg"))),
        ...readMemory(read("/proc/meminfo")),
        ...known("cpuPressure", pressure("cpu")),
        ...known("memoryPressure", pressure("memory")),
        ...known("ioPressure", pressure("io")),
        ...known("diskReadBytes", disks?.read),
        ...known("diskWrittenBytes", disks?.written),
      };
    },
    nets: () => {
      const nets = readNets(read("/proc/net/dev"));
      if (performance.now() - linksAt > LINKS_MS) {
        linksAt = performance.now();
        void readLinks().then((found) => (links = found));
      }
      return Object.fromEntries(Object.entries(nets).map(([name, net]) => [name, { ...net, ...links[name] }]));
    },
  };
}

/** A driver asks its hardware for the speed, which may take its time. */
const LINKS_MS = 15_000;

async function readLinks(): Promise<Record<string, NetSample>> {
  const names = (() => {
    try {
      return readdirSync("/sys/class/net");
    } catch {
      return [];
    }
  })();
  const of = async (name: string, file: string): Promise<string> => (await readFile(`/sys/class/net/${name}/${file}`, "utf8").catch(() => "")).trim();
  const found = await Promise.all(
    names.map(async (name): Promise<[string, NetSample]> => {
      const [speed, state] = await Promise.all([of(name, "speed"), of(name, "operstate")]);
      const isUp = state === "up" ? 1 : state === "down" || state === "lowerlayerdown" ? 0 : undefined; // "unknown": of a tunnel, say
      return [name, { ...(/^\d+$/.test(speed) && Number(speed) > 0 ? { speedMbps: Number(speed) } : {}), ...(isUp === undefined ? {} : { isUp }) }];
    }),
  );
  return Object.fromEntries(found);
}
