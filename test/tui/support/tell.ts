/** Makes models of runs: real events, samples and lines folded as the viewer folds them. Every time in them is fixed. */

import assert from "node:assert/strict";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../../cluster/spec.ts";
import type { GpuProcess, GpuSample, Point, Sample } from "../../../cluster/telemetry/sample.ts";
import type { LogLine, RunSummary } from "../../../cluster/viewer.ts";
import type { Model } from "../../../tui/model.ts";
import { createRunFold } from "../../../tui/run-fold.ts";
import { lifeOf, SPEC } from "../../support/fake-controller.ts";

/** 14:00 UTC of a Saturday. */
export const NOON = Date.UTC(2025, 10, 1, 14, 0, 0);
export const BEGUN = NOON - 6_138_000;
const UPTIME_S = 90_000;

export const hostNames = (count: number): readonly string[] =>
  count <= 4 ? ["node-a", "node-b", "node-c", "node-d"].slice(0, count) : Array.from({ length: count }, (_, k) => `gpu-${String(k + 1).padStart(2, "0")}`);

export function specOf(count: number, more: Partial<RunSpec> = {}): RunSpec {
  const hosts = hostNames(count).map(
    (name, k): HostSpec => ({ name, transport: "ssh", address: `100.64.0.${11 + k}`, env: {}, gpus: { kind: "count", count: 8 } }),
  );
  return {
    ...SPEC,
    run: "llama3-8b_20251101_121742",
    name: "llama3-8b",
    file: "/home/ann/llama/cluster.yaml",
    hosts,
    minHosts: count,
    job: { kind: "script", script: "train.py", args: [] },
    restart: { ...SPEC.restart, max: 4, backoffMs: 10_000 },
    ...more,
  };
}

export const factsOf = (hostname: string): HostFacts => ({
  os: "Linux",
  arch: "x86_64",
  kernel: "6.8.0-60-generic",
  libc: { kind: "glibc", version: "2.39" },
  hostname,
  user: "ann",
  uid: 1000,
  home: "/home/ann",
  shell: "/bin/bash",
  bootId: `boot-${hostname}`,
  stateDir: "/home/ann/.local/state/nexadist",
  stateNote: "",
  helperPython: { path: "/usr/bin/python3", version: "3.12.3" },
  node: null,
  python: { path: "/opt/venv/bin/python", version: "3.12.3", torch: "2.9.0+cu128", accelerate: null },
  pythonProblem: "",
  interfaces: [
    { name: "eth0", mtu: 1500, up: true, addresses: ["10.0.0.11"] },
    { name: "ib0", mtu: 4092, up: true, addresses: ["192.168.4.11"] },
  ],
  gpus: Array.from({ length: 8 }, (_, index) => ({ index, uuid: `GPU-${hostname}-${index}`, name: "NVIDIA H100 80GB HBM3", memoryMiB: 81_559 })),
  gpuProblem: "",
  cpus: 96,
  memoryBytes: 1.08e12,
  ephemeralPorts: [32_768, 60_999],
  linger: true,
  killUserProcesses: false,
});

/** Eight ranks a host; each event a moment after the one before it. */
export function eventsUpTo(spec: RunSpec, until: "connecting" | "preparing" | "running" | "succeeded"): RunEvent[] {
  const per = 8;
  const one = lifeOf(spec, until === "succeeded" ? "succeeded" : "running");
  const wide = one.flatMap((event): RunEvent[] => {
    if (event.type === "attempt-begun") return [{ ...event, world: per * spec.hosts.length, nproc: spec.hosts.map(() => per) }];
    if (event.type === "host-connected") return [{ ...event, facts: factsOf(event.host) }];
    if (event.type !== "rank-started" && event.type !== "rank-exited") return [event];
    return Array.from({ length: per }, (_, k) => ({
      ...event,
      rank: event.rank * per + k,
      ...(event.type === "rank-started" ? { pid: pidOf(event.rank * per + k) } : {}),
    }));
  });
  const cut =
    until === "connecting"
      ? wide.slice(0, 1 + Math.floor(spec.hosts.length / 2))
      : until === "preparing"
        ? wide.filter(({ type }) => type === "requested" || type === "host-connected")
        : wide;
  return cut.map((event, k) => ({ ...event, at: BEGUN + k * 100 }));
}

export const pidOf = (rank: number): number => 4000 + rank;
export const uuidOf = (host: string, k: number): string => `GPU-${host}-${k}`;

/** A host at work; `change` alters a GPU of it. */
export function sampleOf(name: string, hostIndex: number, seconds: number, change: (k: number) => Partial<GpuSample> = () => ({})): Sample {
  const wave = (k: number): number => [98, 97, 98, 99, 97, 98, 98, 97][(k + hostIndex + Math.floor(seconds / 7)) % 8] ?? 98;
  const gpus = Object.fromEntries(
    Array.from({ length: 8 }, (_, k): [string, GpuSample] => [
      uuidOf(name, k),
      {
        index: k,
        name: "NVIDIA H100 80GB HBM3",
        use: wave(k),
        memoryUsedMiB: 72_704 - 100 * k,
        memoryTotalMiB: 81_559,
        temperatureC: 61 + ((k + hostIndex) % 6),
        powerW: 640 + ((k * 7 + hostIndex * 3 + seconds) % 20),
        powerLimitW: 700,
        smMHz: 1755,
        smMaxMHz: 1980,
        eccCorrected: 0,
        eccUncorrected: 0,
        nvlinks: 18,
        nvlinksDown: 0,
        ...change(k),
      },
    ]),
  );
  const processes = Object.fromEntries(
    Array.from({ length: 8 }, (_, k): [string, GpuProcess] => {
      const pid = pidOf(hostIndex * 8 + k);
      return [`${uuidOf(name, k)}/${pid}`, { gpu: uuidOf(name, k), pid, name: "python", user: "ann", memoryMiB: 72_000, owner: "ours" }];
    }),
  );
  return {
    tool: { name: "nvidia-smi", state: "ok" },
    gpus,
    processes,
    host: { cpuUse: 22, cpus: 96, load1: 21.4, memoryTotalBytes: 1.08e12, memoryAvailableBytes: 8.2e11 },
    nets: { ib0: { rxBytes: 1.1e10 * (UPTIME_S + seconds), txBytes: 1.1e10 * (UPTIME_S + seconds), isUp: 1 } as Sample["nets"][string] },
    disks: { "/": { totalBytes: 2e12, freeBytes: 9e11 } as Sample["disks"][string] },
  };
}

export type Telling = {
  readonly spec: RunSpec;
  readonly events: readonly RunEvent[];
  readonly now: number;
  readonly lines?: readonly LogLine[];
  /** null: that host tells nothing. */
  readonly sample?: (name: string, hostIndex: number, seconds: number) => Sample | null;
  readonly doing?: Readonly<Record<string, string>>;
  readonly runs?: readonly RunSummary[];
  /** How long ago each host was heard of; absent: a second. */
  readonly ageMs?: (name: string) => number;
  readonly isReadonly?: boolean;
};

export function modelOf({ spec, events, now, lines = [], sample = sampleOf, doing = {}, runs, ageMs = () => 1000, isReadonly = false }: Telling): Model {
  const fold = createRunFold(spec.run);
  for (const [index, event] of events.entries()) fold.take({ kind: "event", index, event }, event.at);
  for (const line of lines) fold.take({ kind: "line", line }, line.at);
  for (const [host, text] of Object.entries(doing)) fold.take({ kind: "notice", host, text }, now);
  const points: [string, Point][] = [];
  const hosts = spec.hosts.flatMap(({ name }, k) => {
    const last = sample(name, k, 60);
    if (last === null) return [];
    for (let second = 0; second <= 60; second += 1) {
      const each = sample(name, k, second);
      if (each !== null) points.push([name, { at: now - (61 - second) * 1000, spanMs: 1000, sample: each }]);
    }
    return [{ host: name, at: now - ageMs(name), heardAt: now - ageMs(name), sample: last }];
  });
  const state = fold.state() ?? assert.fail("a story begins with its request");
  const gpuHours = (spec.hosts.length * 8 * (now - BEGUN)) / 3.6e6;
  fold.samples({ state, now, hosts, totals: { gpuHours, energyKwh: gpuHours * 0.64, measuredShare: 1 } }, points);
  return { now, link: { state: "ok" }, isReadonly, run: fold.model(), runs: runs ?? [summaryOf(spec, events)] };
}

export function summaryOf(spec: RunSpec, events: readonly RunEvent[], more: Partial<RunSummary> = {}): RunSummary {
  const state = replay(events);
  return {
    run: spec.run,
    name: spec.name,
    phase: state.phase,
    hosts: spec.hosts.length,
    ranks: state.world,
    attempt: state.attempt,
    requestedAt: state.requestedAt,
    endedAt: state.endedAt,
    file: spec.file,
    by: state.by,
    failure: state.failure?.text ?? null,
    ...more,
  };
}

export const lineOf = (host: string, rank: number | null, at: number, text: string, more: Partial<LogLine> = {}): LogLine => ({
  host,
  rank,
  stream: "out",
  attempt: 1,
  at,
  text,
  ...more,
});

/** What rank 0 prints of a minute of training, one step a second, and a few words of others. */
export function trainingLines(spec: RunSpec, until: number, attempt = 1): LogLine[] {
  const names = spec.hosts.map(({ name }) => name);
  const host = (k: number): string => names[k % names.length] ?? "";
  return Array.from({ length: 60 }, (_, k) => k).flatMap((k) => {
    const at = until - (60 - k) * 1000;
    const loss = (2.6 - k * 0.008 + ((k * 37) % 11) / 120).toFixed(4);
    const step = lineOf(host(0), 0, at, `step=${18_360 + k}/50000 loss=${loss} lr=2.9e-4 tok/s=${Math.round(41_200 + ((k * 53) % 7) * 100 - 300)}`, {
      attempt,
    });
    if (k === 52) return [step, lineOf(host(1), 11, at + 300, "WARNING dataloader stalled for 1.8 s", { attempt, stream: "err" })];
    if (k === 56) return [step, lineOf(host(2), 17, at + 500, "saving checkpoint to /shared/ckpt/step-18400", { attempt })];
    return [step];
  });
}
