/** The numbers of a sample as a table: their bounds (a host is not trusted), how they are thinned out, and where nvidia-smi has them. */

/** When points are made one: the mean, the highest, or the last of them. */
export type Thinning = "mean" | "max" | "last";
export type NumberField = { readonly least?: number; readonly most: number; readonly thin: Thinning };

/** Of --query-gpu; `how` a cell is read when it is no plain number. A flag is 0 or 1. `rate`: static while the driver is loaded, hot by the second, slow by the minute. */
export type GpuField = NumberField & { readonly smi: string; readonly rate: "static" | "hot" | "slow"; readonly how?: "flag" | "mask" | "pstate" };

const COUNT = 2 ** 48;

export const GPU_NUMBERS = {
  /** Percent of the time in which any kernel ran: 100 also in one that spins and waits. */
  use: { smi: "utilization.gpu", rate: "hot", most: 100, thin: "mean" },
  memoryUse: { smi: "utilization.memory", rate: "hot", most: 100, thin: "mean" },
  memoryUsedMiB: { smi: "memory.used", rate: "hot", most: 1e8, thin: "max" },
  memoryTotalMiB: { smi: "memory.total", rate: "hot", most: 1e8, thin: "last" },
  temperatureC: { smi: "temperature.gpu", rate: "hot", least: -100, most: 250, thin: "max" },
  memoryTemperatureC: { smi: "temperature.memory", rate: "hot", least: -100, most: 250, thin: "max" },
  powerW: { smi: "power.draw", rate: "hot", most: 1e5, thin: "mean" },
  powerLimitW: { smi: "enforced.power.limit", rate: "hot", most: 1e5, thin: "last" },
  smMHz: { smi: "clocks.current.sm", rate: "hot", most: 1e5, thin: "mean" },
  memoryMHz: { smi: "clocks.current.memory", rate: "hot", most: 1e5, thin: "mean" },
  fanPercent: { smi: "fan.speed", rate: "hot", most: 1000, thin: "mean" },
  pstate: { smi: "pstate", rate: "hot", most: 15, thin: "last", how: "pstate" },
  /** Bits of NVML's clock event reasons. */
  reasons: { smi: "clocks_event_reasons.active", rate: "hot", most: Number.MAX_SAFE_INTEGER, thin: "last", how: "mask" },
  pcieGen: { smi: "pcie.link.gen.gpucurrent", rate: "hot", most: 100, thin: "last" },
  pcieWidth: { smi: "pcie.link.width.current", rate: "hot", most: 1000, thin: "last" },
  smMaxMHz: { smi: "clocks.max.sm", rate: "static", most: 1e5, thin: "last" },
  pcieGenMax: { smi: "pcie.link.gen.gpumax", rate: "static", most: 100, thin: "last" },
  pcieWidthMax: { smi: "pcie.link.width.max", rate: "static", most: 1000, thin: "last" },
  persistence: { smi: "persistence_mode", rate: "static", most: 1, thin: "last", how: "flag" },
  mig: { smi: "mig.mode.current", rate: "static", most: 1, thin: "last", how: "flag" },
  /** Since the driver was loaded. */
  eccCorrected: { smi: "ecc.errors.corrected.volatile.total", rate: "slow", most: COUNT, thin: "last" },
  eccUncorrected: { smi: "ecc.errors.uncorrected.volatile.total", rate: "slow", most: COUNT, thin: "last" },
  eccUncorrectedEver: { smi: "ecc.errors.uncorrected.aggregate.total", rate: "slow", most: COUNT, thin: "last" },
  remapPending: { smi: "remapped_rows.pending", rate: "slow", most: 1, thin: "last", how: "flag" },
  remapFailure: { smi: "remapped_rows.failure", rate: "slow", most: 1, thin: "last", how: "flag" },
  remapUncorrectable: { smi: "remapped_rows.uncorrectable", rate: "slow", most: COUNT, thin: "last" },
  retiredPending: { smi: "retired_pages.pending", rate: "slow", most: 1, thin: "last", how: "flag" },
  pcieReplays: { smi: "pcie.replay_counter", rate: "slow", most: COUNT, thin: "last" },
} as const satisfies Readonly<Record<string, GpuField>>;

/** Links that work, links that do not, and all that they counted since the driver was loaded. */
export const NVLINK_NUMBERS = {
  nvlinks: { most: 1000, thin: "last" },
  nvlinksDown: { most: 1000, thin: "last" },
  nvlinkErrors: { most: Number.MAX_SAFE_INTEGER, thin: "last" },
} as const satisfies Readonly<Record<string, NumberField>>;

export const HOST_NUMBERS = {
  /** Percent of all CPUs together. */
  cpuUse: { most: 100, thin: "mean" },
  cpus: { most: 65_536, thin: "last" },
  load1: { most: 1e6, thin: "last" },
  memoryTotalBytes: { most: COUNT, thin: "last" },
  memoryAvailableBytes: { most: COUNT, thin: "last" },
  swapTotalBytes: { most: COUNT, thin: "last" },
  swapUsedBytes: { most: COUNT, thin: "max" },
  /** Percent of the last 10 s in which some task waited for it (the kernel's PSI). */
  cpuPressure: { most: 100, thin: "mean" },
  memoryPressure: { most: 100, thin: "mean" },
  ioPressure: { most: 100, thin: "mean" },
  /** Since boot, of whole disks. */
  diskReadBytes: { most: Number.MAX_SAFE_INTEGER, thin: "last" },
  diskWrittenBytes: { most: Number.MAX_SAFE_INTEGER, thin: "last" },
} as const satisfies Readonly<Record<string, NumberField>>;

/** Counters since the interface came up. */
export const NET_NUMBERS = {
  rxBytes: { most: Number.MAX_SAFE_INTEGER, thin: "last" },
  txBytes: { most: Number.MAX_SAFE_INTEGER, thin: "last" },
  rxErrors: { most: COUNT, thin: "last" },
  txErrors: { most: COUNT, thin: "last" },
  rxDropped: { most: COUNT, thin: "last" },
  txDropped: { most: COUNT, thin: "last" },
  /** What it has agreed on with the other end. */
  speedMbps: { most: 1e8, thin: "last" },
  isUp: { most: 1, thin: "last" },
} as const satisfies Readonly<Record<string, NumberField>>;

export const DISK_NUMBERS = {
  totalBytes: { most: Number.MAX_SAFE_INTEGER, thin: "last" },
  /** For a user without privileges. */
  freeBytes: { most: Number.MAX_SAFE_INTEGER, thin: "last" },
} as const satisfies Readonly<Record<string, NumberField>>;
