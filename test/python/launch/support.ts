/** Two "hosts" on loopback addresses that run what a plan says, with a real torch and nothing else of ours. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { DETECTION } from "../../../cluster/config/recovery.ts";
import { planAttempt } from "../../../cluster/launch/plan.ts";
import type { AttemptPlan, PlanHost } from "../../../cluster/launch/types.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import { placed, someFacts, someHost, someSpec } from "../../cluster/launch/fixtures.ts";

export const REPO = new URL("../../../", import.meta.url).pathname.replace(/\/$/, "");
export const PYTHON = join(REPO, ".venv/bin/python");
/** Two cores shared by everybody: what takes 10 s alone may take minutes. */
const DEADLINE_MS = 240_000;

/** All-reduce over gloo; prints one line a rank, fails on a wrong sum. */
export const ALL_REDUCE = `
import os, torch, torch.distributed as dist
dist.init_process_group("gloo")
x = torch.ones(1) * (dist.get_rank() + 1)
dist.all_reduce(x)
n = dist.get_world_size()
assert x.item() == n * (n + 1) / 2, x
print(f"rank {dist.get_rank()}/{n} local {os.environ['LOCAL_RANK']} group {os.environ['GROUP_RANK']} sum {int(x.item())} args {os.environ.get('MY_VALUE')}", flush=True)
dist.destroy_process_group()
`;

export function scratchDir(t: TestContext, files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "nexadist-test-launch-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

/** Below the ephemeral range, where gloo's own connections are. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const bound = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "0.0.0.0", () => resolve(true));
    });
    if (!bound) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** A run on hosts "a" at 127.0.0.1 and "b" at 127.0.0.2 with CPU ranks, as `transport: local` has it. */
export function loopbackSpec(over: Partial<RunSpec>, slots: readonly [number, number]): RunSpec {
  const hosts = ["a", "b"].map((name, index) =>
    someHost(name, { transport: "local", address: `127.0.0.${index + 1}`, gpus: { kind: "none", slots: slots[index] ?? 1 } }),
  );
  return someSpec({ hosts, timeouts: { connectMs: 30_000, startMs: 200_000, stopGraceMs: 30_000, runMs: null, ...DETECTION }, ...over });
}

export const loopbackFacts = () =>
  someFacts({
    cpus: 4,
    gpus: null,
    python: { path: PYTHON, version: "3", torch: "2.13.0+cpu", accelerate: "1.15.0" },
    helperPython: { path: PYTHON, version: "3" },
  });

/** The plan as `up` makes it, with the prologue of the repository and no shim. */
export function realPlan(spec: RunSpec, dir: string, ports: { rdzv: number; master: number }): AttemptPlan {
  const hosts = spec.hosts.map((host): PlanHost => {
    const attempt = join(dir, host.name);
    mkdirSync(join(attempt, "error"), { recursive: true });
    const dirs = { bundle: join(REPO, "python"), attempt, socket: "", job: dir, scratch: null };
    return placed(host, { facts: loopbackFacts(), dirs });
  });
  return planAttempt({ spec, hosts, attempt: 1, rdzvId: `${spec.run}-1`, ports, cpuOnly: true });
}

export type Ended = { readonly code: number | null; readonly out: string };

/** Runs all at once and waits for all. At the deadline they get SIGTERM, which torchrun passes on to its workers, and are waited for. */
export async function runAll(
  t: TestContext,
  programs: readonly { argv: readonly string[]; env: Readonly<Record<string, string>>; cwd: string }[],
): Promise<Ended[]> {
  const children = programs.map(({ argv, env, cwd }) => {
    const [program = "", ...args] = argv;
    return spawn(program, args, { env, cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  });
  const endAll = (): void => children.forEach(endGroup);
  t.after(endAll);
  const deadline = setTimeout(endAll, DEADLINE_MS);
  const results = await Promise.all(children.map(gather));
  clearTimeout(deadline);
  return results;
}

async function gather(child: ChildProcess): Promise<Ended> {
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: chunks.join("") };
}

/** Its own session, so the group is what it started; only while the leader lives is the number surely ours. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, "SIGTERM");
}

/** No inherited variable but what a program needs to be found; torchrun leaves a directory in TMPDIR. */
export const bareEnv = (dir: string) => ({ PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: dir, TMPDIR: dir, LANG: "C.UTF-8" });
