/** Small files of the agent's own: whole or absent after a crash (durable-file.ts), and found out when a disk has changed a bit of them. */

import { readFileSync } from "node:fs";
import { seal, unseal } from "../cluster/sealed-line.ts";
import { writeDurable } from "./durable-file.ts";

/** `value`: an object that has members. */
export const writeSealed = (path: string, value: object): void => writeDurable(path, seal(JSON.stringify(value)));

/** null: it is not there, or is not what was written. */
export function readSealed<T extends object>(path: string): T | null {
  try {
    const json = unseal(readFileSync(path, "utf8"));
    return json === null ? null : (JSON.parse(json) as T);
  } catch {
    return null;
  }
}
