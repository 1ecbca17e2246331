/** One build at a time: a directory made atomically, with the builder's PID in it so that a dead builder blocks nobody. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 50;

export type Lock = { readonly waited: boolean; readonly release: () => void };

export async function takeLock(dir: string): Promise<Lock> {
  for (let waited = false; ; waited = true) {
    if (tryMake(dir)) {
      writeFileSync(join(dir, "pid"), String(process.pid));
      return { waited, release: () => rmSync(dir, { recursive: true, force: true }) };
    }
    if (holderIsDead(dir)) rmSync(dir, { recursive: true, force: true });
    else await delay(POLL_MS);
  }
}

function tryMake(dir: string): boolean {
  try {
    mkdirSync(dir);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** No PID in it yet means that the holder is between two calls, not that it is dead. */
function holderIsDead(dir: string): boolean {
  try {
    const pid = Number(readFileSync(join(dir, "pid"), "utf8"));
    if (!(pid > 0)) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
