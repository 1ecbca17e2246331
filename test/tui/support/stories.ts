/** Runs as stories: what a viewer sees of a healthy one, one coming up, one in trouble, one that is over. */

import type { Cause } from "../../../cluster/run/cause.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import type { Sample } from "../../../cluster/telemetry/sample.ts";
import type { RunSummary } from "../../../cluster/viewer.ts";
import type { Model } from "../../../tui/model.ts";
import { BEGUN, eventsUpTo, lineOf, modelOf, NOON, sampleOf, specOf, trainingLines, uuidOf } from "./tell.ts";

export * from "./tell.ts";

const straggler = (spec: RunSpec, at: number): RunEvent => {
  const host = spec.hosts[1]?.name ?? "";
  const text = `GPU 3 of ${host} works at 12 % while its peers work at 97 %: the others wait for it`;
  return {
    at,
    type: "finding",
    attempt: 1,
    finding: { code: "STRAGGLER", text, host, rank: 11, gpu: uuidOf(host, 3), key: `STRAGGLER ${host} 3`, since: at - 45_000, until: null },
  };
};

/** Four hosts with eight GPUs each, an hour and a half into it. */
export function healthy(): Model {
  const spec = specOf(4);
  return modelOf({ spec, events: eventsUpTo(spec, "running"), now: NOON, lines: trainingLines(spec, NOON) });
}

/** One GPU of the second host is slow, and found. */
export function slowGpu(): Model {
  const spec = specOf(4);
  const sample = (name: string, k: number, seconds: number): Sample =>
    sampleOf(name, k, seconds, (gpu) => (k === 1 && gpu === 3 ? { use: 12, powerW: 180, smMHz: 345, temperatureC: 88 } : {}));
  return modelOf({ spec, events: [...eventsUpTo(spec, "running"), straggler(spec, NOON - 20_000)], now: NOON, lines: trainingLines(spec, NOON), sample });
}

/** Half of its hosts are connected, the others are being reached. */
export function comingUp(): Model {
  const spec = specOf(4);
  const now = BEGUN + 12_000;
  return modelOf({
    spec,
    events: eventsUpTo(spec, "connecting"),
    now,
    sample: () => null,
    doing: { "node-c": "uploading node, 12.4 of 45.0 MB", "node-d": "no answer yet from 100.64.0.14 port 22, trying again (2)" },
  });
}

const LINK_LOST = "no heartbeat for 5.0 s";

/** The last host is silent; what becomes of the run is not decided yet. */
export function silentHost(): Model {
  const spec = specOf(4);
  const events: RunEvent[] = [...eventsUpTo(spec, "running"), { at: NOON - 12_000, type: "host-unseen", host: "node-d", why: LINK_LOST, kind: "silent" }];
  return modelOf({ spec, events, now: NOON, lines: trainingLines(spec, NOON - 12_000), ageMs: (name) => (name === "node-d" ? 12_000 : 1000) });
}

const receipt = { signalled: 8, exited: 8, killed: 0, left: 0, leftPids: [], proof: ["subreaper", "pids"], gpuMemoryMiB: 0 } as const;

function brokenOff(spec: RunSpec, at: number): RunEvent[] {
  const cause: Cause = {
    kind: "exit",
    code: "CUDA_OOM",
    text: "rank 11 on node-b ran out of GPU memory",
    host: "node-b",
    rank: 11,
    place: "CUDA_OOM",
    exitCode: 1,
    evidence: ["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "train.py line 212, in forward"],
    isFinal: false,
  };
  return [
    ...eventsUpTo(spec, "running"),
    { at, type: "rank-exited", host: "node-b", attempt: 1, rank: 11, code: 1, signal: null, seenAt: at },
    ...spec.hosts.map(({ name }): RunEvent => ({ at: at + 2000, type: "host-ended", host: name, attempt: 1, receipt }) as unknown as RunEvent),
    ...spec.hosts.map(({ name }): RunEvent => ({ at: at + 2500, type: "host-drained", host: name, attempt: 1 })),
    { at: at + 3000, type: "attempt-diagnosed", attempt: 1, cause, checkpoint: null, jitter: 0.5 },
  ];
}

/** Attempt 1 ended by rank 11; attempt 2 begins in a few seconds. */
export function recovering(): Model {
  const spec = specOf(4);
  const idle = (name: string, k: number, seconds: number): Sample => ({
    ...sampleOf(name, k, seconds, () => ({ use: 0, memoryUsedMiB: 4, powerW: 70 })),
    processes: {},
  });
  return modelOf({ spec, events: brokenOff(spec, NOON - 7000), now: NOON, lines: trainingLines(spec, NOON - 7000), sample: idle });
}

/** No attempt is left: the root cause is told. */
export function failed(): Model {
  const spec = specOf(4, { restart: { ...specOf(4).restart, max: 0 } });
  return modelOf({ spec, events: brokenOff(spec, NOON - 7000), now: NOON, lines: trainingLines(spec, NOON - 7000), sample: () => null });
}

export function lostHost(): Model {
  const spec = specOf(4);
  const events: RunEvent[] = [
    ...eventsUpTo(spec, "running"),
    { at: NOON - 40_000, type: "host-unseen", host: "node-d", why: LINK_LOST, kind: "silent" },
    { at: NOON - 2000, type: "host-lost", host: "node-d", attempt: 1, why: "no word for 38 s, and node-a cannot reach it either" },
  ];
  return modelOf({
    spec,
    events,
    now: NOON,
    lines: trainingLines(spec, NOON - 40_000, 1),
    sample: (name, k, seconds) => (name === "node-d" ? null : sampleOf(name, k, seconds)),
  });
}

/** 64 hosts, of which two have something the matter. */
export function many(): Model {
  const spec = specOf(64);
  const events: RunEvent[] = [
    ...eventsUpTo(spec, "running"),
    straggler(spec, NOON - 20_000),
    { at: NOON - 12_000, type: "host-unseen", host: "gpu-41", why: LINK_LOST, kind: "silent" },
  ];
  const sample = (name: string, k: number, seconds: number): Sample =>
    sampleOf(name, k, seconds, (gpu) => (k === 1 && gpu === 3 ? { use: 12, powerW: 180 } : {}));
  return modelOf({ spec, events, now: NOON, lines: trainingLines(spec, NOON), sample, ageMs: (name) => (name === "gpu-41" ? 12_000 : 1000) });
}

export function ended(): Model {
  const spec = specOf(4);
  const events = eventsUpTo(spec, "succeeded");
  const end = NOON - 30_000;
  const late = events.map((event) => (["rank-exited", "launcher-exited", "host-ended", "host-drained"].includes(event.type) ? { ...event, at: end } : event));
  return modelOf({ spec, events: late, now: NOON, lines: trainingLines(spec, end), sample: () => null });
}

/** Every rank tells what it works in a step; rank 11 works longer than the others, which wait for it. */
export function uneven(): Model {
  const spec = specOf(4);
  const lines = Array.from({ length: 30 }, (_, k) => k).flatMap((k) =>
    Array.from({ length: 32 }, (_, rank) => {
      const busy = (rank === 11 ? 0.61 : 0.4 + (rank % 5) * 0.004).toFixed(3);
      const host = spec.hosts[Math.floor(rank / 8)]?.name ?? "";
      return lineOf(host, rank, NOON - (30 - k) * 1000 + rank, `nexadist: step=${18_390 + k}/50000 loss=2.${170 - k} tokens/s=1300 busy=${busy}`);
    }),
  );
  return modelOf({ spec, events: [...eventsUpTo(spec, "running"), straggler(spec, NOON - 20_000)], now: NOON, lines });
}

/** A live run among others: one waits for its GPUs, others have ended in each way. */
export function history(): Model {
  const model = healthy();
  const [live] = model.runs;
  if (live === undefined) throw new Error("a run that is watched is listed");
  const HOUR = 3_600_000;
  const other = (run: string, more: Partial<RunSummary>): RunSummary => ({
    ...live,
    run,
    name: run.replace(/_.*/, ""),
    requestedAt: NOON - 30 * HOUR,
    ...more,
  });
  const over = (hoursAgo: number, lastedHours: number): Partial<RunSummary> => ({
    requestedAt: NOON - hoursAgo * HOUR,
    endedAt: NOON - (hoursAgo - lastedHours) * HOUR,
  });
  const runs: readonly RunSummary[] = [
    other("sweep_20251101_135500", {
      phase: "arming",
      ranks: 0,
      attempt: 0,
      requestedAt: NOON - 300_000,
      by: "bob",
      waitsFor: { "node-a": `GPU 0-7 are of ${live.run}` },
    }),
    { ...live, pricePerHour: 98.32, tags: ["8b", "nightly"] },
    other("llama3-8b_20251031_090000", {
      phase: "failed",
      ...over(29, 3.5),
      failure: "rank 11 on node-b ran out of GPU memory",
      pricePerHour: 98.32,
      tags: ["8b"],
      attempt: 5,
    }),
    other("vit-b16_20251030_101500", { phase: "succeeded", ...over(52, 7.1), hosts: 2, ranks: 16 }),
    other("vit-b16_20251029_180000", { phase: "stopped", ...over(68, 0.4), hosts: 2, ranks: 16, owing: ["node-d"] }),
  ];
  return { ...model, runs };
}
