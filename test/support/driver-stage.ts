/** A run's loop with two scripted hosts that do what they are told, unless a test says something else. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { DETECTION, RECOVERY } from "../../cluster/config/recovery.ts";
import type { AgentRunEvent, Command } from "../../cluster/protocol.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { HostFacts, RunSpec } from "../../cluster/spec.ts";
import { driveRun } from "../../controller/daemon/driver.ts";
import type { Driver } from "../../controller/daemon/driver-deps.ts";
import { type JournalLine, openJournal, readLines } from "../../controller/daemon/journal.ts";
import type { HostListener, Keeper, Linked } from "../../controller/daemon/keeper.ts";
import { openLogStore } from "../../controller/daemon/log-store.ts";
import { SPEC } from "./fake-controller.ts";

export const [A, B] = ["gpu-a", "gpu-b"] as const;
export const spec: RunSpec = {
  ...SPEC,
  hosts: [A, B].map((name) => ({ name, transport: "local", address: "127.0.0.1", env: {}, gpus: { kind: "none", slots: 1 } })),
  launcher: "command",
  job: { kind: "command", argv: ["true"] },
  timeouts: { connectMs: 60_000, startMs: 60_000, stopGraceMs: 1000, runMs: null, ...DETECTION },
  ...RECOVERY,
};
export const facts = {
  os: "Linux",
  arch: "x86_64",
  home: "/h",
  user: "u",
  stateDir: "/s",
  helperPython: { path: "/usr/bin/python3", version: "3.11.2" },
  python: null,
  pythonProblem: "",
  interfaces: [{ name: "lo", mtu: 65_536, up: true, addresses: ["127.0.0.1"] }],
  gpus: null,
  gpuProblem: "",
  cpus: 1,
  ephemeralPorts: [32_768, 60_999],
} as unknown as HostFacts;
export const receipt = { signalled: 1, exited: 1, killed: 0, left: 0, leftPids: [], proof: ["pids"] as const, gpuMemoryMiB: null };

type Done = { readonly host: string; readonly command: Command; readonly onDisk: readonly JournalLine[] };
type Answer = (host: string, command: Command) => unknown;

/** A run with two hosts that do what they are told unless `answer` says something else; undefined: as usual. `asked`: the run, with the id of `spec`. */
export function stage(t: TestContext, answer: Answer = () => undefined, asked: RunSpec = spec) {
  const dir = mkdtempSync(join(tmpdir(), "driver-"));
  const journal = openJournal(dir);
  journal.append([{ event: { at: 1, type: "requested", spec: asked, by: "t" } }, { event: { at: 1, type: "controller-started", controller: "c", epoch: 1 } }]);
  const logs = openLogStore(join(dir, "logs"));
  const done: Done[] = [];
  const said: RunEvent[] = [];
  const notices: string[] = [];
  const hosts = new Map<string, ReturnType<typeof makeHost>>();
  let isDone = false;

  const makeHost = (name: string, rank: number) => {
    let listener: HostListener | undefined;
    let linked: Linked | null = null;
    let told: { index: number; at: number; attempt: number; event: AgentRunEvent }[] = [];
    const shim = (event: Record<string, unknown>): AgentRunEvent => ({ index: told.length, at: 1, ...event }) as unknown as AgentRunEvent;
    const tell = (event: Record<string, unknown>): void => {
      told = [...told, { index: told.length, at: 1, attempt: 1, event: shim(event) }];
      if (linked !== null) listener?.event(spec.run, told.at(-1));
    };
    const usual = (order: Command): unknown => {
      if (order.do === "adopt") return { events: told.length };
      if (order.do === "subscribe") for (const event of told.slice(order.eventsFrom)) queueMicrotask(() => listener?.event(spec.run, event));
      if (order.do === "prepare") return { dir: "/d", python: null, scratch: null, notes: [], scriptSha256: null, sessionNames: [] };
      if (order.do === "arm") return { ports: order.ports.map((_, k) => 20_000 + k), dir: "/a", socket: "/s" };
      if (order.do === "launch") tell({ type: "rank-started", rank, localRank: 0, pid: 100 + rank, start: 1 });
      if (order.do === "stop") {
        queueMicrotask(() => end({ signal: "SIGTERM", code: null }));
        return { absent: false };
      }
      return null;
    };
    const end = (exit: { code: number | null; signal: string | null }): void => {
      tell({ type: "rank-exited", rank, pid: 100 + rank, ...exit, source: "wait", coreDumped: false });
      tell({ type: "ended", receipt });
      tell({ type: "drained", sizes: {} });
    };
    const command = (order: Command): Promise<unknown> => {
      if (order.do !== "adopt" && order.do !== "subscribe")
        done.push({ host: name, command: order, onDisk: readLines(readFileSync(join(dir, "journal.jsonl"))).lines });
      return new Promise((resolve) => resolve(answer(name, order) ?? usual(order)));
    };
    const lose = (): void => {
      if (linked === null) return;
      linked = null;
      listener?.lost("cut");
    };
    const link = (): void => {
      linked = {
        transport: { driver: "local", why: "", address: null },
        link: { welcome: { dirs: { bundle: "/b", state: "/s", runtime: "/r" } }, command, ack: () => undefined, close: lose },
        facts,
        agent: { key: `k-${name}`, bundle: "b", pid: 1 },
      } as unknown as Linked;
      listener?.linked(linked);
    };
    const keeper: Keeper = {
      current: () => linked,
      listen: (given) => {
        listener = given;
        queueMicrotask(() => (listener === undefined ? undefined : linked === null ? link() : listener.linked(linked)));
        return () => {
          listener = undefined;
        };
      },
      hurry: () => undefined,
      close: () => undefined,
    };
    return { keeper, link, lose, end, tell, isHeard: () => listener !== undefined };
  };
  spec.hosts.forEach(({ name }, rank) => {
    hosts.set(name, makeHost(name, rank));
  });
  const host = (name: string): ReturnType<typeof makeHost> => hosts.get(name) as ReturnType<typeof makeHost>;
  const driver: Driver = driveRun({
    dir,
    journal,
    logs,
    keeper: ({ name }) => host(name).keeper,
    telemetry: { begin: () => undefined, totals: () => ({ gpuHours: 0, energyKwh: null, measuredShare: null }) },
    controller: "c",
    lent: { env: { HOME: "/h", PATH: "/bin" }, agentSocket: null, acceptNewHostKeys: false },
    snapshot: () => Promise.resolve(null),
    onLine: ({ event }) => said.push(event),
    onBytes: () => undefined,
    notice: (_, text) => void notices.push(text),
    isAwake: () => true,
    onSettled: () => undefined,
    onDone: () => {
      isDone = true;
    },
  });
  const closeAll = (): void => {
    driver.dispose();
    journal.close();
    logs.close();
    rmSync(dir, { recursive: true, force: true });
  };
  t.after(closeAll);
  const until = async (what: string, so: () => boolean): Promise<void> => {
    const deadline = Date.now() + 20_000;
    while (!so()) {
      if (Date.now() > deadline)
        throw new Error(
          `${what} did not come about in ${driver.state().phase}: ${driver.state().failure?.text ?? ""} ${said.map((event) => event.type).join(" ")}; ${notices.join("; ")}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const phase = (wanted: string): Promise<void> => until(wanted, () => driver.state().phase === wanted);
  const count = (what: Command["do"], name: string): number => done.filter((one) => one.command.do === what && one.host === name).length;
  return { dir, driver, done, said, notices, host, until, phase, count, isDone: () => isDone };
}
