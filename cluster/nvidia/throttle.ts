/** Reasons why a GPU's clocks are lower than they could be: bits of clocks_event_reasons.active (nvml.h, nvmlClocksEventReasons). */

export const REASON_BITS = {
  gpuIdle: 0x1,
  applicationsClocks: 0x2,
  swPowerCap: 0x4,
  hwSlowdown: 0x8,
  syncBoost: 0x10,
  swThermal: 0x20,
  hwThermal: 0x40,
  hwPowerBrake: 0x80,
  displayClocks: 0x100,
} as const;

export type Reason = keyof typeof REASON_BITS;

const REASON_WORDS: Readonly<Record<Reason, string>> = {
  gpuIdle: "idle",
  applicationsClocks: "clocks set by hand",
  swPowerCap: "at the power limit",
  hwSlowdown: "slowed by the hardware",
  syncBoost: "waits for a slower GPU of its sync group",
  swThermal: "too hot for the driver",
  hwThermal: "too hot for the hardware",
  hwPowerBrake: "the power supply brakes it",
  displayClocks: "clocks set by the display",
};

export function reasonsIn(mask: number): readonly Reason[] {
  return (Object.keys(REASON_BITS) as Reason[]).filter((reason) => hasBit(mask, REASON_BITS[reason]));
}

/** Masks come with up to 53 bits, which & would cut to 32. */
function hasBit(mask: number, bit: number): boolean {
  return Math.floor(mask / bit) % 2 === 1;
}

export function reasonWords(mask: number): string {
  const words = reasonsIn(mask).map((reason) => REASON_WORDS[reason]);
  return words.length > 0 ? words.join(", ") : mask === 0 ? "none" : `0x${mask.toString(16)}`;
}

/** Heat or power hold it back: never normal, unlike the power limit under load or being idle. */
export const BAD_REASONS: readonly Reason[] = ["hwSlowdown", "swThermal", "hwThermal", "hwPowerBrake"];
