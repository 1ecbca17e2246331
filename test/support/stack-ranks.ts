/** Ranks for tests of stacks: Python programs with our hook as the prologue puts it, and the attempt directory that tells of them. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type HostLook, hostLook } from "../../cluster/hang/look.ts";
import { PYTHON, PYTHON_DIR } from "./shims.ts";

const DEADLINE_MS = 60_000;

export type StackRanks = {
  readonly dir: string;
  /** The directory with our sitecustomize. */
  readonly inside: string;
  /** Starts a program as the next rank; it counts as there when it has printed a line. */
  readonly start: (code: string, options?: { readonly args?: readonly string[]; readonly env?: Record<string, string> }) => Promise<ChildProcess>;
  readonly look: () => HostLook;
};

export function stackRanks(t: TestContext): StackRanks {
  const dir = mkdtempSync(join(tmpdir(), "nxd-stacks-"));
  const inside = join(dir, "inside");
  mkdirSync(inside);
  copyFileSync(join(PYTHON_DIR, "inside.py"), join(inside, "sitecustomize.py"));
  const children: ChildProcess[] = [];
  const lines: string[] = [];
  t.after(() => {
    for (const { pid } of children) {
      try {
        if (pid !== undefined) process.kill(-pid, "SIGKILL"); // with what it forked
      } catch {
        // none of them is left
      }
    }
    rmSync(dir, { recursive: true, force: true });
  });
  const start: StackRanks["start"] = async (code, { args = [], env = {} } = {}) => {
    const script = join(dir, `train${children.length}.py`);
    writeFileSync(script, code);
    const child = spawn(PYTHON, [...args, script], {
      env: { PATH: process.env.PATH ?? "", PYTHONPATH: inside, PYTHONDONTWRITEBYTECODE: "1", ...env },
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    children.push(child);
    await new Promise((resolve, reject) => {
      child.stdout.once("data", resolve);
      child.once("exit", reject);
    });
    lines.push(JSON.stringify({ pid: child.pid, start: startOf(child.pid ?? 0), role: "rank", rank: lines.length }));
    writeFileSync(join(dir, "pids.jsonl"), `${lines.join("\n")}\n`);
    return child;
  };
  const look = (): HostLook =>
    hostLook.parse(JSON.parse(execFileSync(PYTHON, ["-I", "-S", join(PYTHON_DIR, "stacks.py"), dir], { encoding: "utf8", timeout: DEADLINE_MS })));
  return { dir, inside, start, look };
}

const statOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
export const startOf = (pid: number): number => Number(statOf(pid)[19]);

/** Waits until the kernel says that the process is in that state. */
export async function inState(pid: number | undefined, state: string): Promise<void> {
  const until = Date.now() + DEADLINE_MS;
  while (statOf(pid ?? 0)[0] !== state) {
    if (Date.now() > until) throw new Error(`process ${pid} is in state ${statOf(pid ?? 0)[0]}, never in ${state}`);
    await delay(5);
  }
}
