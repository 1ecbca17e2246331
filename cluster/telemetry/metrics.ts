/** What Prometheus finds at the controller: names, help and values, of base units; and the names that users of the DCGM and node exporters know. Pure. */

import { REASON_BITS, type Reason, reasonsIn } from "../nvidia/throttle.ts";
import { hostsOf, isOver, membersOf, type RunState } from "../run/state.ts";
import type { Pace } from "../steps/pace.ts";
import type { HostNow } from "../viewer.ts";
import { costOf } from "./cost.ts";
import { hostMetrics } from "./host-metrics.ts";
import type { GpuSample } from "./sample.ts";
import type { RunTotals } from "./totals.ts";

export type Labels = Readonly<Record<string, string>>;
export type Metric = {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly values: readonly { readonly labels: Labels; readonly value: number }[];
};

/** A run that is driven. */
export type RunView = { readonly state: RunState; readonly hosts: readonly HostNow[]; readonly totals: RunTotals; readonly pace: Pace | null };

/** What is older is not told: a series that ends is true, one that stands still is not. */
const STALE_MS = 15_000;
const MIB = 1024 * 1024;
const MHZ = 1e6;

type Of<T> = (one: T) => number | undefined;
type Gpu = { readonly host: string; readonly uuid: string; readonly gpu: GpuSample };
type Row<T> = readonly [name: string, help: string, of: Of<T>, type?: "counter"];

const times = (value: number | undefined, by: number): number | undefined => (value === undefined ? undefined : value * by);

const GPU_ROWS: readonly Row<GpuSample>[] = [
  ["nexadist_gpu_up", "1: the GPU answers; 0: it is lost, needs a reset or does not answer", (gpu) => (gpu.down === undefined ? 1 : 0)],
  ["nexadist_gpu_utilization_ratio", "Share of the time in which any kernel ran", (gpu) => times(gpu.use, 0.01)],
  ["nexadist_gpu_memory_utilization_ratio", "Share of the time in which memory was read or written", (gpu) => times(gpu.memoryUse, 0.01)],
  ["nexadist_gpu_memory_used_bytes", "Memory in use", (gpu) => times(gpu.memoryUsedMiB, MIB)],
  ["nexadist_gpu_memory_total_bytes", "Memory", (gpu) => times(gpu.memoryTotalMiB, MIB)],
  ["nexadist_gpu_temperature_celsius", "Temperature of the core", (gpu) => gpu.temperatureC],
  ["nexadist_gpu_memory_temperature_celsius", "Temperature of the memory", (gpu) => gpu.memoryTemperatureC],
  ["nexadist_gpu_power_draw_watts", "Power drawn", (gpu) => gpu.powerW],
  ["nexadist_gpu_power_limit_watts", "Power limit that acts", (gpu) => gpu.powerLimitW],
  ["nexadist_gpu_sm_clock_hertz", "Clock of the multiprocessors", (gpu) => times(gpu.smMHz, MHZ)],
  ["nexadist_gpu_memory_clock_hertz", "Clock of the memory", (gpu) => times(gpu.memoryMHz, MHZ)],
  ["nexadist_gpu_fan_ratio", "Fan speed, of its highest", (gpu) => times(gpu.fanPercent, 0.01)],
  ["nexadist_gpu_pcie_link_generation", "PCIe generation of the link now", (gpu) => gpu.pcieGen],
  ["nexadist_gpu_pcie_link_lanes", "PCIe lanes of the link now", (gpu) => gpu.pcieWidth],
  ["nexadist_gpu_pcie_replays_total", "PCIe packets sent again", (gpu) => gpu.pcieReplays, "counter"],
  ["nexadist_gpu_nvlinks", "NVLinks that work", (gpu) => gpu.nvlinks],
  ["nexadist_gpu_nvlinks_down", "NVLinks that do not work", (gpu) => gpu.nvlinksDown],
  ["nexadist_gpu_nvlink_errors_total", "Errors that NVLinks counted since the driver was loaded", (gpu) => gpu.nvlinkErrors, "counter"],
  ["nexadist_gpu_row_remap_pending", "1: rows of memory are to be remapped at a reset", (gpu) => gpu.remapPending],
  ["nexadist_gpu_row_remap_failure", "1: a row of memory could not be remapped", (gpu) => gpu.remapFailure],
];

/** Names and units of the DCGM exporter. Not its XID_ERRORS: a gauge of the last code, which never clears. */
const DCGM_ROWS: readonly Row<GpuSample>[] = [
  ["DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz).", (gpu) => gpu.smMHz],
  ["DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz).", (gpu) => gpu.memoryMHz],
  ["DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", (gpu) => gpu.temperatureC],
  ["DCGM_FI_DEV_MEMORY_TEMP", "Memory temperature (in C).", (gpu) => gpu.memoryTemperatureC],
  ["DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", (gpu) => gpu.powerW],
  ["DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", (gpu) => gpu.use],
  ["DCGM_FI_DEV_MEM_COPY_UTIL", "Memory utilization (in %).", (gpu) => gpu.memoryUse],
  ["DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).", (gpu) => gpu.memoryUsedMiB],
  [
    "DCGM_FI_DEV_FB_FREE",
    "Framebuffer memory free (in MiB).",
    (gpu) => (gpu.memoryTotalMiB === undefined || gpu.memoryUsedMiB === undefined ? undefined : gpu.memoryTotalMiB - gpu.memoryUsedMiB),
  ],
  ["DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "Total number of PCIe retries.", (gpu) => gpu.pcieReplays, "counter"],
  ["DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for uncorrectable errors", (gpu) => gpu.remapUncorrectable, "counter"],
  ["DCGM_FI_DEV_ROW_REMAP_FAILURE", "Whether remapping of rows has failed", (gpu) => gpu.remapFailure],
];

const REASON_NAMES = Object.keys(REASON_BITS).filter((reason) => reason !== "gpuIdle") as Reason[];
const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function metricsOf(runs: readonly RunView[], now: number): readonly Metric[] {
  // A host of two runs is told once, as who heard it last has it.
  const hosts = new Map<string, HostNow>();
  for (const one of runs.flatMap((run) => run.hosts)) if ((one.heardAt ?? 0) >= (hosts.get(one.host)?.heardAt ?? 0)) hosts.set(one.host, one);
  const told = [...hosts.values()].filter(({ heardAt }) => heardAt !== null);
  const fresh = told.filter(({ heardAt }) => now - (heardAt ?? 0) < STALE_MS);
  const gpus = fresh.flatMap(({ host, sample }) => Object.entries(sample.gpus).map(([uuid, gpu]): Gpu => ({ host, uuid, gpu })));
  const all = [
    ...runMetrics(runs, now),
    {
      name: "nexadist_last_collect_timestamp_seconds",
      type: "gauge" as const,
      help: "When the host last told anything",
      values: told.map(({ host, heardAt }) => ({ labels: { host }, value: (heardAt ?? 0) / 1000 })),
    },
    ...GPU_ROWS.map((row) => ofGpus(row, gpus, ({ host, uuid, gpu }) => ({ host, uuid, index: String(gpu.index ?? "") }))),
    gauge(
      "nexadist_gpu_info",
      "What the GPU is",
      gpus.map(({ host, uuid, gpu }) => ({ labels: { host, uuid, index: String(gpu.index ?? ""), name: gpu.name ?? "", driver: gpu.driver ?? "" }, value: 1 })),
    ),
    gauge(
      "nexadist_gpu_throttle_active",
      "1: this holds the clocks back",
      gpus.flatMap(({ host, uuid, gpu }) => {
        if (gpu.reasons === undefined) return [];
        const active = reasonsIn(gpu.reasons);
        return REASON_NAMES.map((reason) => ({ labels: { host, uuid, reason: snake(reason) }, value: active.includes(reason) ? 1 : 0 }));
      }),
    ),
    counter(
      "nexadist_gpu_ecc_errors_total",
      "Wrong bits of memory since the driver was loaded",
      gpus.flatMap(({ host, uuid, gpu }) =>
        (
          [
            ["corrected", gpu.eccCorrected],
            ["uncorrected", gpu.eccUncorrected],
          ] as const
        ).flatMap(([type, value]) => (value === undefined ? [] : [{ labels: { host, uuid, type }, value }])),
      ),
    ),
    counter(
      "nexadist_gpu_xid_errors_total",
      "Xid events in the kernel's log",
      gpus.flatMap(({ host, uuid, gpu }) => Object.entries(gpu.xids ?? {}).map(([code, value]) => ({ labels: { host, uuid, code }, value }))),
    ),
    gauge(
      "nexadist_gpu_recovery_action",
      "1: what the driver advises",
      gpus.flatMap(({ host, uuid, gpu }) => (gpu.recovery === undefined ? [] : [{ labels: { host, uuid, action: gpu.recovery }, value: 1 }])),
    ),
    ...DCGM_ROWS.map((row) =>
      ofGpus(row, gpus, ({ host, uuid, gpu }) => ({
        gpu: String(gpu.index ?? ""),
        UUID: uuid,
        device: `nvidia${gpu.index ?? ""}`,
        modelName: gpu.name ?? "",
        Hostname: host,
      })),
    ),
    ...hostMetrics(fresh),
  ];
  return all.filter(({ values }) => values.length > 0);
}

const gauge = (name: string, help: string, values: Metric["values"]): Metric => ({ name, help, type: "gauge", values });
const counter = (name: string, help: string, values: Metric["values"]): Metric => ({ name, help, type: "counter", values });

function ofGpus([name, help, of, type = undefined]: Row<GpuSample>, gpus: readonly Gpu[], labelsOf: (gpu: Gpu) => Labels): Metric {
  const values = gpus.flatMap((one) => {
    const value = of(one.gpu);
    return value === undefined ? [] : [{ labels: labelsOf(one), value }];
  });
  return { name, help, type: type ?? "gauge", values };
}

function runMetrics(runs: readonly RunView[], now: number): readonly Metric[] {
  const of = (value: (run: RunView) => number | null | undefined): Metric["values"] =>
    runs.flatMap((run) => {
      const found = value(run);
      return found === null || found === undefined ? [] : [{ labels: { run: run.state.spec.run }, value: found }];
    });
  const rankGpus = runs.flatMap(({ state, hosts }) =>
    Object.values(state.ranks).flatMap(({ rank, host, pid, exit }) => {
      const processes = exit === null ? Object.values(hosts.find((one) => one.host === host)?.sample.processes ?? {}) : [];
      return processes
        .filter((process) => process.pid === pid)
        .map(({ gpu }) => ({ labels: { run: state.spec.run, rank: String(rank), host, uuid: gpu }, value: 1 }));
    }),
  );
  return [
    gauge(
      "nexadist_run_info",
      "A run and how far it is",
      runs.map(({ state }) => ({ labels: { run: state.spec.run, name: state.spec.name, phase: state.phase, launcher: state.spec.launcher }, value: 1 })),
    ),
    gauge(
      "nexadist_run_ranks",
      "Ranks of the run",
      of(({ state }) => state.world),
    ),
    gauge(
      "nexadist_run_attempt",
      "The attempt that it is at",
      of(({ state }) => state.attempt),
    ),
    gauge(
      "nexadist_run_step",
      "The last step that a rank told",
      of(({ pace }) => pace?.step),
    ),
    gauge(
      "nexadist_run_step_seconds",
      "Time of a step",
      of(({ pace }) => times(pace?.stepMs ?? undefined, 0.001)),
    ),
    gauge(
      "nexadist_run_loss",
      "The last loss that a rank told",
      of(({ pace }) => pace?.loss),
    ),
    counter(
      "nexadist_run_gpu_seconds_total",
      "Time of GPUs that the run held",
      of(({ totals }) => totals.gpuHours * 3600),
    ),
    counter(
      "nexadist_run_energy_joules_total",
      "Energy of the GPUs that the run held",
      of(({ totals }) => times(totals.energyKwh ?? undefined, 3.6e6)),
    ),
    gauge(
      "nexadist_run_cost_dollars",
      "By the prices in the cluster file",
      of(({ state }) => costOf(state, now)),
    ),
    gauge(
      "nexadist_host_up",
      "1: the host's agent is heard",
      runs.flatMap(({ state }) =>
        (isOver(state) ? [] : hostsOf(state)).map((host) => ({
          labels: { run: state.spec.run, host: host.name },
          value: host.seen && host.stage !== "waiting" ? 1 : 0,
        })),
      ),
    ),
    gauge(
      "nexadist_run_hosts",
      "Hosts that take part",
      of(({ state }) => membersOf(state).length),
    ),
    gauge("nexadist_rank_gpu", "Which rank runs on which GPU: to join by uuid", rankGpus),
  ];
}
