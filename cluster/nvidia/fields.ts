/** Names of --query-gpu: they differ between branches of the driver, and one that it does not know makes it answer nothing at all. So it is asked first which it knows. */

/** New name → names that older or other branches have for it. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  name: ["gpu_name"],
  uuid: ["gpu_uuid"],
  serial: ["gpu_serial"],
  "pci.bus_id": ["gpu_bus_id"],
  "pcie.link.gen.gpucurrent": ["pcie.link.gen.current"],
  "power.draw.average": ["gpu.power.draw.average"],
  "power.draw.instant": ["gpu.power.draw.instant"],
  "power.limit": ["gpu.power.requested_limit"],
  "enforced.power.limit": ["gpu.power.current_limit"],
  "power.default_limit": ["gpu.power.default_limit"],
  "power.min_limit": ["gpu.power.min_limit"],
  "power.max_limit": ["gpu.power.max_limit"],
  "clocks.current.graphics": ["clocks.gr"],
  "clocks.current.sm": ["clocks.sm"],
  "clocks.current.memory": ["clocks.mem"],
  "clocks.current.video": ["clocks.video"],
  "clocks.max.graphics": ["clocks.max.gr"],
  "clocks.max.memory": ["clocks.max.mem"],
  "clocks.applications.graphics": ["clocks.applications.gr"],
  "clocks.applications.memory": ["clocks.applications.mem"],
  "retired_pages.single_bit_ecc.count": ["retired_pages.sbe"],
  "retired_pages.double_bit.count": ["retired_pages.dbe"],
  "remapped_rows.correctable": ["remapped_rows.sbe"],
  "remapped_rows.uncorrectable": ["remapped_rows.dbe"],
  "inforom.img": ["inforom.image"],
  "inforom.pwr": ["inforom.power"],
  "gom.current": ["gpu_operation_mode.current"],
  "gom.pending": ["gpu_operation_mode.pending"],
};
/** Before branch 535 or so, reasons of clocks were only called throttle reasons. */
const REASONS = "clocks_event_reasons.";
const OLD_REASONS = "clocks_throttle_reasons.";

const CANONICAL = new Map(Object.entries(ALIASES).flatMap(([name, others]) => others.map((other) => [other, name] as const)));

export function canonicalField(name: string): string {
  if (name.startsWith(OLD_REASONS)) return REASONS + name.slice(OLD_REASONS.length);
  return CANONICAL.get(name) ?? name;
}

function namesOf(field: string): readonly string[] {
  const old = field.startsWith(REASONS) ? [OLD_REASONS + field.slice(REASONS.length)] : [];
  return [field, ...(ALIASES[field] ?? []), ...old];
}

/** Names in `nvidia-smi --help-query-gpu`; empty: it is no such text, and nothing is known. Words in quotes inside its prose are not alone on their line. */
export function readFieldHelp(text: string): ReadonlySet<string> {
  const known = new Set<string>();
  for (const line of text.split("\n")) {
    if (!/^\s*"[A-Za-z0-9_.]{1,80}"(?:\s*(?:or|,)\s*"[A-Za-z0-9_.]{1,80}"){0,8}\s*\r?$/.test(line)) continue;
    for (const [, name] of line.matchAll(/"([A-Za-z0-9_.]{1,80})"/g)) if (name !== undefined) known.add(name);
  }
  return known;
}

/** What to ask this driver for: of each wanted field the newest name that it knows. `missing`: it knows none. With an empty `known` all are asked by their newest name. */
export function chooseFields(wanted: readonly string[], known: ReadonlySet<string>): { readonly ask: readonly string[]; readonly missing: readonly string[] } {
  if (known.size === 0) return { ask: wanted, missing: [] };
  const pairs = wanted.map((field) => ({ field, name: namesOf(field).find((name) => known.has(name)) }));
  const ask = [...new Set(pairs.flatMap(({ name }) => name ?? []))];
  return { ask, missing: pairs.filter(({ name }) => name === undefined).map(({ field }) => field) };
}

/** The field that the driver refused, and with it the whole query; null: that was not what it said. */
export function refusedField(text: string): string | null {
  return /Field "([^"\n]{1,120})" is not a valid field to query/.exec(text)?.[1] ?? null;
}

/** The next try after a refusal; null: it refused something that was not asked, or nothing would be left. */
export function withoutField(ask: readonly string[], refused: string): readonly string[] | null {
  const left = ask.filter((name) => name !== refused);
  return left.length === ask.length || left.every((name) => ["uuid", "index", "timestamp"].includes(canonicalField(name))) ? null : left;
}

/**
 * Which fields are asked together, where the driver does not say which it knows: then an unknown one costs its own group only. Each row names its GPU.
 * `hot` changes by the second; `health` by the hour; `identity` not while the driver is loaded.
 */
export const FIELD_GROUPS = {
  hot: [
    "uuid",
    "index",
    "utilization.gpu",
    "utilization.memory",
    "memory.used",
    "memory.total",
    "temperature.gpu",
    "power.draw",
    "enforced.power.limit",
    "clocks.current.sm",
    "clocks.current.memory",
    "pstate",
    "fan.speed",
  ],
  hotNew: ["uuid", "clocks_event_reasons.active", "pcie.link.gen.gpucurrent", "pcie.link.width.current", "temperature.memory"],
  health: [
    "uuid",
    "index",
    "ecc.mode.current",
    "ecc.errors.corrected.volatile.total",
    "ecc.errors.uncorrected.volatile.total",
    "ecc.errors.uncorrected.aggregate.total",
    "retired_pages.pending",
    "retired_pages.single_bit_ecc.count",
    "retired_pages.double_bit.count",
  ],
  healthNew: ["uuid", "remapped_rows.pending", "remapped_rows.failure", "remapped_rows.uncorrectable"],
  recovery: ["uuid", "gpu_recovery_action"],
  sram: ["uuid", "ecc.errors.uncorrected.aggregate.sram.thresholdExceeded"],
  reasonTimes: [
    "uuid",
    "clocks_event_reasons_counters.sw_power_cap",
    "clocks_event_reasons_counters.hw_thermal_slowdown",
    "clocks_event_reasons_counters.sw_thermal_slowdown",
    "clocks_event_reasons_counters.hw_power_brake_slowdown",
  ],
  margin: ["uuid", "temperature.gpu.tlimit"],
  identity: [
    "uuid",
    "index",
    "name",
    "pci.bus_id",
    "driver_version",
    "vbios_version",
    "compute_cap",
    "persistence_mode",
    "compute_mode",
    "power.default_limit",
    "power.max_limit",
    "clocks.max.sm",
    "pcie.link.gen.max",
    "pcie.link.width.max",
  ],
  link: ["uuid", "pcie.link.gen.gpumax", "pcie.link.gen.hostmax"],
  modes: ["uuid", "mig.mode.current", "mig.mode.pending"],
  fabric: ["uuid", "fabric.state", "fabric.status"],
} as const satisfies Readonly<Record<string, readonly string[]>>;
