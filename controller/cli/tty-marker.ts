/** Who holds this terminal for a screen. A process that was killed cannot put it right: the next command on that terminal does. */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDir, stateDir } from "../paths.ts";

/** Colours off, synchronised output ended, cursor shown, bracketed paste off, alternate screen left. */
const RESET = "\u001b[0m\u001b[?2026l\u001b[?25h\u001b[?2004l\u001b[?1049l";
const markersDir = (): string => join(stateDir(), "terminals");

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
  const path = join(markersDir(), name);
  try {
    makeDir(markersDir());
    writeFileSync(path, `${process.pid}`, { mode: 0o600 });
  } catch {
    return () => undefined; // a full disk: then nobody puts it right but `reset`
  }
  return () => rmSync(path, { force: true });
}

/** At the beginning of every command; costs a look at a directory that most machines do not have. */
export function mendTty(): void {
  if (process.stdout.isTTY !== true) return;
  const name = ttyName();
  try {
    if (name === null || !readdirSync(markersDir()).includes(name)) return;
    const path = join(markersDir(), name);
    if (isAlive(Number(readFileSync(path, "utf8")))) return;
    rmSync(path, { force: true });
  } catch {
    return;
  }
  process.stdout.write(RESET);
  spawnSync("stty", ["sane"], { stdio: ["inherit", "ignore", "ignore"] });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
