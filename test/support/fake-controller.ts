/** A controller that answers viewers with what a test scripts, over the real socket and wire; runs nothing. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { DETECTION, RECOVERY } from "../../cluster/config/recovery.ts";
import type { Cause } from "../../cluster/run/cause.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { HostFacts, RunSpec } from "../../cluster/spec.ts";
import { type Item, type Request, VIEWER_PROTOCOL } from "../../cluster/viewer.ts";

export type Asked = {
  readonly request: Request;
  readonly item: (item: Item) => void;
  readonly end: (value: unknown) => void;
  readonly problem: (problem: object) => void;
  readonly socket: Socket;
};
export type FakeController = {
  readonly stateDir: string;
  readonly asked: Request[] /** Resolves with the next request of that kind. */;
  readonly next: (ask: Request["ask"]) => Promise<Request>;
};

export async function fakeController(
  t: TestContext,
  answer: (asked: Asked) => void,
  protocol = VIEWER_PROTOCOL,
  build: () => string | undefined = () => undefined,
): Promise<FakeController> {
  const stateDir = mkdtempSync(join(tmpdir(), "nexa-fake-"));
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const asked: Request[] = [];
  const waiting: { ask: string; give: (request: Request) => void }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    let rest = "";
    const say = (value: object): boolean => !socket.destroyed && socket.write(`${JSON.stringify(value)}\n`);
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const request = JSON.parse(line) as Request;
        const { id } = request;
        asked.push(request);
        for (const one of waiting.splice(0)) one.ask === request.ask ? one.give(request) : waiting.push(one);
        if (request.ask === "ping") say({ id, end: { protocol, build: build(), version: "fake", pid: 1, startedAt: 0, stateDir } });
        else
          answer({
            request,
            socket,
            item: (item) => say({ id, item }),
            end: (end) => say({ id, end: end ?? null }),
            problem: (problem) => say({ id, problem }),
          });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(join(stateDir, "controller.sock"), resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(stateDir, { recursive: true, force: true });
  });
  return { stateDir, asked, next: (ask) => new Promise((give) => waiting.push({ ask, give })) };
}

export const SPEC: RunSpec = {
  schema: 1,
  run: "train_20260102_030405",
  name: "demo",
  file: null,
  hosts: ["gpu-a", "gpu-b"].map((name) => ({ name, transport: "ssh" as const, address: name, env: {}, gpus: { kind: "none" as const, slots: 1 } })),
  minHosts: 2,
  launcher: "torchrun",
  per: "gpu",
  rdzv: null,
  rdzvPorts: null,
  job: { kind: "smoke", args: [] },
  accelerateConfig: null,
  env: {},
  secretNames: {},
  timeouts: { connectMs: 1000, startMs: 1000, stopGraceMs: 1000, runMs: null, ...DETECTION },
  ...RECOVERY,
  logs: { quotaBytes: 1e6 },
  paths: {},
  tags: [],
  code: { kind: "none" },
};

const facts = { os: "Linux", arch: "x86_64" } as HostFacts;

/** The whole life of a run with one rank a host, up to its end. */
const FINAL: Cause = {
  kind: "exit",
  code: null,
  text: "rank 0 on gpu-a exited with code 3",
  host: "gpu-a",
  rank: 0,
  place: "exit:3",
  exitCode: 3,
  evidence: [],
  isFinal: true,
};

export function lifeOf(spec: RunSpec, until: "running" | "succeeded" | "failed"): readonly RunEvent[] {
  const at = 1_700_000_000_000;
  const names = spec.hosts.map((h) => h.name);
  const each = (make: (host: string, rank: number) => object): RunEvent[] => names.map((host, rank) => ({ at, ...make(host, rank) }) as RunEvent);
  const receipt = { signalled: 0, exited: 2, killed: 0, left: 0, leftPids: [], proof: ["subreaper", "pids"], gpuMemoryMiB: null };
  const running = [
    { at, type: "requested", spec, by: "tester" },
    ...each((host) => ({
      type: "host-connected",
      dialled: null,
      host,
      facts,
      dirs: { bundle: "/b", state: "/s", runtime: "/r" },
      agent: { key: `k-${host}`, bundle: "b", pid: 2 },
      driver: "ssh2",
      why: "default",
    })),
    ...each((host) => ({ type: "host-prepared", host, dir: "/d", python: "/p", scratch: null, notes: [], sessionNames: [], scriptSha256: null })),
    { at, type: "attempt-begun", attempt: 1, rdzvId: "x", world: names.length, members: names, checkpoint: null },
    ...each((host) => ({ type: "host-armed", host, attempt: 1, ports: [1], dir: "/a", socket: "/s" })),
    ...each((host) => ({ type: "host-launched", host, attempt: 1 })),
    ...each((host, rank) => ({ type: "rank-started", host, attempt: 1, rank, pid: 100 + rank, start: 1 })),
  ] as RunEvent[];
  if (until === "running") return running;
  const code = until === "failed" ? 3 : 0;
  return [
    ...running,
    ...each((host, rank) => ({ type: "rank-exited", host, attempt: 1, rank, code, signal: null, seenAt: at })),
    ...each((host) => ({ type: "launcher-exited", host, attempt: 1, code: code === 0 ? 0 : 1, signal: null })),
    ...each((host) => ({ type: "host-ended", host, attempt: 1, receipt })),
    ...each((host) => ({ type: "host-drained", host, attempt: 1 })),
    ...(until === "failed" ? [{ at, type: "attempt-diagnosed", attempt: 1, cause: FINAL, checkpoint: null, jitter: 0 } as const] : []),
  ];
}

/** What "runs" answers of that run while it goes on. */
export const ROW = {
  run: SPEC.run,
  name: "demo",
  phase: "running",
  hosts: 2,
  ranks: 2,
  attempt: 1,
  requestedAt: 1,
  endedAt: null,
  file: null,
  by: "t",
  failure: null,
};
