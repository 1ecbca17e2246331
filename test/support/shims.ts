/** Arms real shims in throwaway directories, talks to them as an agent does, and leaves nothing behind whatever a test did. */

import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ArmSpec, Receipt, ShimCommand, ShimEvent, Spawn } from "../../cluster/shim-contract.ts";

export const PYTHON_DIR = fileURLToPath(new URL("../../python/", import.meta.url));
export const SHIM = join(PYTHON_DIR, "shim.py");
export const PROLOGUE = join(PYTHON_DIR, "prologue.py");

/** The interpreter itself: what is called python3 may be a script that adds to the environment (pyenv). */
export const PYTHON = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();

/** The job's Python, with torch, as the checkout's set-up makes it. */
export const TORCH_PYTHON = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
export const HAS_TORCH = existsSync(TORCH_PYTHON);

/** A real wait is always for an event; this is only when to give up on a busy machine. */
const DEADLINE_MS = 60_000;

export type Of<T extends ShimEvent["type"]> = Extract<ShimEvent, { type: T }>;
export type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs the shim's program to its end (as a daemon it returns once armed). */
export const runShim = (...args: string[]): Promise<Finished> => runPython(SHIM, ...args);

/** The same on a machine that lacks something: `lacking` is Python that takes it away from the shim's modules. */
export const runLackingShim = (lacking: string, armPath: string): Promise<Finished> =>
  runPython(
    "-c",
    `import sys; sys.path.insert(0, ${JSON.stringify(PYTHON_DIR)}); import shim, shim_cgroup, shim_proc, shim_procs\n${lacking}\nsys.exit(shim.main(sys.argv[1:]))`,
    armPath,
  );

function runPython(...args: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(PYTHON, ["-I", "-S", ...args], { encoding: "utf8", timeout: DEADLINE_MS }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : null, stdout, stderr });
    });
  });
}

export type Lab = {
  readonly arm: ArmSpec;
  readonly armPath: string;
  file(name: string): string;
  write(name: string, text: string): void;
  startShim(lacking?: string): Promise<Of<"armed">>;
  connect(from?: number): Promise<AgentLink>;
};

/** An attempt's directory and a shim to be; at the end of the test all of it is ended and removed. */
export function makeLab(t: TestContext, changes: Partial<ArmSpec> = {}): Lab {
  const root = mkdtempSync(join(tmpdir(), "nexa-shim-"));
  const dir = join(root, "a1");
  const arm: ArmSpec = {
    run: "train_20251101_143200",
    attempt: 1,
    host: "gpu-a",
    dir,
    socket: join(root, "s"),
    ports: [],
    portRange: [21000, 21999],
    portLocks: join(root, "locks"),
    mark: `test/${root}/1/gpu-a`,
    quotaBytes: 1 << 30,
    ...changes,
  };
  const armPath = join(root, "arm.json");
  writeFileSync(armPath, JSON.stringify(arm), { mode: 0o600 });
  const links: AgentLink[] = [];
  let shim: Of<"armed"> | null = null;
  t.after(() => {
    for (const link of links) link.close();
    if (shim !== null && isAlive(shim)) process.kill(shim.pid, "SIGKILL");
    if (existsSync(join(dir, "pids.jsonl"))) spawnSync(PYTHON, ["-I", "-S", SHIM, "--sweep", armPath, "0"]);
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    arm,
    armPath,
    file: (name) => readFileSync(join(dir, name), "utf8"),
    write: (name, text) => writeFileSync(join(dir, name), text),
    async startShim(lacking) {
      const { code, stdout, stderr } = await (lacking === undefined ? runShim(armPath) : runLackingShim(lacking, armPath));
      assert.equal(code, 0, stdout + stderr);
      const event = JSON.parse(stdout) as ShimEvent;
      assert.equal(event.type, "armed");
      shim = event as Of<"armed">;
      return shim;
    },
    async connect(from = 0) {
      const link = await connectAgent(arm.socket, from);
      links.push(link);
      return link;
    },
  };
}

export type AgentLink = {
  readonly events: ShimEvent[];
  readonly socket: Socket;
  send(command: ShimCommand): void;
  /** The first event of the type (that fits), whether it has come or is yet to come. */
  event<T extends ShimEvent["type"]>(type: T, fits?: (event: Of<T>) => boolean): Promise<Of<T>>;
  close(): void;
};

async function connectAgent(path: string, from: number): Promise<AgentLink> {
  const socket = createConnection(path);
  await once(socket, "connect");
  socket.on("error", () => {});
  const events: ShimEvent[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: socket }).on("line", (line) => {
    events.push(JSON.parse(line) as ShimEvent);
    for (const look of waiting) look();
  });
  socket.write(`${JSON.stringify({ hello: "agent", from })}\n`);
  return {
    events,
    socket,
    send: (command) => void socket.write(`${JSON.stringify(command)}\n`),
    event: (type, fits = () => true) =>
      new Promise((resolve, reject) => {
        type Wanted = Of<typeof type>;
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`no ${type} came; had ${JSON.stringify(events, null, 1)}`));
        }, DEADLINE_MS);
        const look = () => {
          const found = events.find((event): event is Wanted => event.type === type && fits(event as Wanted));
          const last = events.at(-1)?.type;
          if (found === undefined && last !== "ended") return;
          clearTimeout(timer);
          waiting.delete(look);
          if (found === undefined) reject(new Error(`ended without ${type}: ${JSON.stringify(events, null, 1)}`));
          else resolve(found);
        };
        waiting.add(look);
        look();
      }),
    close: () => socket.destroy(),
  };
}

/** A rank of `direct`: a Python program of the test's own. */
export const pythonRank = (rank: number, code: string, env: Record<string, string> = {}): Spawn => ({
  role: "rank",
  rank,
  localRank: rank,
  argv: [PYTHON, "-c", code],
  env: { PATH: process.env["PATH"] ?? "", ...env },
  cwd: "/",
});

export const launch = (spawns: readonly Spawn[], stopGraceMs: number, ranks = spawns.length): ShimCommand => ({ do: "launch", spawns, ranks, stopGraceMs });

/** State and start time of a process, or null when there is none. */
export function readStat(pid: number): { state: string; ppid: number; start: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "?", ppid: Number(fields[1]), start: Number(fields[19]) };
  } catch {
    return null;
  }
}

/** Whether this very process runs. */
export function isAlive(process: { readonly pid: number; readonly start: number }): boolean {
  const stat = readStat(process.pid);
  return stat !== null && stat.start === process.start && stat.state !== "Z";
}

/** Looks again and again until it holds, for what no event tells. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!holds()) {
    assert.ok(Date.now() < end, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function assertNothingLeft(receipt: Receipt): void {
  assert.equal(receipt.left, 0);
  assert.deepEqual(receipt.leftPids, []);
  assert.ok(receipt.proof.length > 1, "mark alone proves nothing");
}
