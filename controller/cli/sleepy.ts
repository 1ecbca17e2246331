/** Does this machine sleep when its lid is closed? A controller on it then decides nothing. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SUPPLIES = "/sys/class/power_supply";

/** A battery of the machine itself; one of a mouse or a headset says `Device`. */
export function hasBattery(dir = SUPPLIES): boolean {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8").trim();
    } catch {
      return "";
    }
  };
  try {
    return readdirSync(dir).some((name) => read(join(dir, name, "type")) === "Battery" && read(join(dir, name, "scope")) !== "Device");
  } catch {
    return false;
  }
}

/** null: nothing to say. */
export function sleepWords(seat: string | null, candidates: readonly string[], isSleepy = process.platform === "darwin" || hasBattery()): string | null {
  if (seat !== null || !isSleepy) return null;
  const [first = "HOST"] = candidates;
  return `training goes on while this machine sleeps, recovery does not: \`controller: {seat: ${first}}\` in the file puts the controller where it does not sleep`;
}
