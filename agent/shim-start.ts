/** Starts the shim of an attempt, or sweeps in the place of one that died. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail } from "../cluster/errors.ts";
import type { ArmSpec, Receipt } from "../cluster/shim-contract.ts";
import type { Agent } from "./agent-state.ts";
import { armFailure, readArmFailed } from "./arm-failure.ts";
import { claimSocket } from "./claims.ts";
import { attemptDir, type Run } from "./run.ts";
import { readSealed, writeSealed } from "./sealed-file.ts";

/** A sweep ends within its own 5 s of scans; the rest is for a loaded host. */
const SWEEP_MS = 60_000;
const START_MS = 20_000;
const SAID_MAX = 4000;

export type ArmRequest = Pick<ArmSpec, "host" | "ports" | "portRange" | "mark" | "quotaBytes"> & {
  readonly attempt: number;
  /** Claimed before; absent or empty: none. */
  readonly gpus?: readonly string[] | undefined;
};

function networkNamespace(): string {
  try {
    return String(statSync("/proc/self/ns/net").ino);
  } catch {
    return "0";
  }
}

/** Written before anything is started, so that an attempt that exists is an attempt we know of. */
export function writeArmSpec(agent: Agent, run: Run, request: ArmRequest): ArmSpec {
  const { attempt, host, ports, portRange, mark, quotaBytes, gpus = [] } = request;
  const dir = attemptDir(run, attempt);
  const name = createHash("sha256").update(`${run.run}/${attempt}`).digest("hex").slice(0, 12);
  // Ports belong to a network namespace; hosts that share a /tmp do not share them.
  const portLocks = join(dirname(agent.config.runtimeDir), `ports-${networkNamespace()}`);
  const spec: ArmSpec = {
    run: run.run,
    attempt,
    host,
    dir,
    socket: join(agent.config.runtimeDir, `${name}.sock`),
    ports,
    portRange,
    portLocks,
    mark,
    quotaBytes,
    ...(gpus.length === 0 ? {} : { claim: { socket: claimSocket(agent, run), gpus } }),
  };
  try {
    mkdirSync(join(dir, "error"), { recursive: true, mode: 0o700 });
    mkdirSync(portLocks, { recursive: true, mode: 0o700 });
    for (const path of armPaths(run, attempt)) writeSealed(path, spec);
  } catch (error) {
    throw fail("HOST_WRITE", { path: dir, why: String(error) }, error);
  }
  return spec;
}

/** Twice: without it nobody would know how to end what runs. */
const armPaths = (run: Run, attempt: number): readonly string[] => ["arm.json", "arm.copy.json"].map((name) => join(attemptDir(run, attempt), name));
/** The one that can be read. */
const armPath = (run: Run, attempt: number): string =>
  armPaths(run, attempt).find((path) => readSealed(path) !== null) ?? join(attemptDir(run, attempt), "arm.json");

export const readArmSpec = (run: Run, attempt: number): ArmSpec | null => readSealed<ArmSpec>(armPath(run, attempt));

/** The copy that a disk has lost, from the other one. */
export function mendArmSpec(run: Run, attempt: number): void {
  const spec = readArmSpec(run, attempt);
  if (spec !== null) for (const path of armPaths(run, attempt)) if (readSealed(path) === null) writeSealed(path, spec);
}

/** Whether a shim of it ever was here. */
export const wasStarted = (run: Run, attempt: number): boolean =>
  ["lock", "events.jsonl", "pids.jsonl"].some((name) => existsSync(join(attemptDir(run, attempt), name)));

/** Exit status and what it said; the shim itself has gone off on its own by then. */
export function runShim(agent: Agent, args: readonly string[], limitMs: number): Promise<{ code: number | null; out: string; said: string }> {
  return new Promise((resolve) => {
    const { HOME, PATH, LANG, USER } = process.env;
    const child = spawn(agent.config.python, ["-I", "-S", join(agent.config.bundleDir, "shim.py"), ...args], {
      cwd: "/",
      env: { HOME, PATH, LANG, USER },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let out = "";
    let said = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      said = (said + data).slice(-SAID_MAX);
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    const settle = (code: number | null): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code, out, said });
    };
    child.on("error", (error) => {
      said += error.message;
      settle(null);
    });
    // Not "close": what it left behind may hold the pipes. Its last words are read by then or soon.
    child.on("exit", (code) => setImmediate(() => setTimeout(() => settle(code), 20)));
  });
}

/** Errors: ARM_FAILED when the program did not go off or could not arm, PORT_BUSY. */
export async function startShim(agent: Agent, spec: ArmSpec): Promise<void> {
  const { code, out, said } = await runShim(agent, [join(spec.dir, "arm.json")], START_MS);
  const failed = code === 0 ? null : readArmFailed(out);
  if (failed !== null) throw armFailure(agent, spec.attempt, failed.code, failed.text);
  if (code !== 0) throw fail("ARM_FAILED", { attempt: spec.attempt, why: said.trim() || `exit ${code}` });
}

/** The receipt of a sweep; `left` null when it could not be made. */
export async function sweep(agent: Agent, run: Run, attempt: number): Promise<Receipt> {
  const { out, code, said } = await runShim(agent, ["--sweep", armPath(run, attempt)], SWEEP_MS);
  try {
    return JSON.parse(out.trim().split("\n").at(-1) ?? "") as Receipt;
  } catch {
    agent.log(`${run.run}/${attempt}: sweep gave no receipt (exit ${code}): ${said}`);
    return { signalled: 0, exited: 0, killed: 0, left: null, leftPids: [], proof: [], gpuMemoryMiB: null };
  }
}
