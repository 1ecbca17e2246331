/** Who holds this terminal for a screen. A process that was killed cannot put it right: the next command on that terminal does, scripts/mend-tty.sh. */

import { readlinkSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDir, stateDir } from "../paths.ts";

/** "pts-3"; null: it has no name here. */
function ttyName(): string | null {
  try {
    const path = readlinkSync("/proc/self/fd/1");
    return path.startsWith("/dev/") ? path.slice("/dev/".length).replaceAll("/", "-") : null;
  } catch {
    return null;
  }
}

/** Call what it returns when the terminal is as before. */
export function holdTty(): () => void {
  const name = ttyName();
  if (name === null) return () => undefined;
  const dir = join(stateDir(), "terminals");
  try {
    makeDir(dir);
    writeFileSync(join(dir, name), `${process.pid}\n`, { mode: 0o600 });
  } catch {
    return () => undefined; // a full disk: then nobody puts it right but `reset`
  }
  return () => {
    rmSync(join(dir, name), { force: true });
    try {
      rmdirSync(dir); // so that commands have nowhere to look
    } catch {
      // Another terminal is held.
    }
  };
}
