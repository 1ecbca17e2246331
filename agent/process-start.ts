/** The start time that tells a process from a later one of the same PID. */

import { readFileSync } from "node:fs";

/** Field 22 of /proc/PID/stat; null when there is none or it is a zombie. */
export function startTicks(pid: number): number | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? null : Number(fields[19]);
}

export const isAlive = (pid: number, start: number): boolean => startTicks(pid) === start;
