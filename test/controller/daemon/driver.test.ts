/** The loop of one run against scripted hosts: what is done is on disk before it is done, once, again after a cut, and never after it is not wanted. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DETECTION, RECOVERY } from "../../../cluster/config/recovery.ts";
import { fail, NexaError } from "../../../cluster/errors.ts";
import type { AgentRunEvent, Command } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import type { HostFacts, RunSpec } from "../../../cluster/spec.ts";
import { type Driver, driveRun } from "../../../controller/daemon/driver.ts";
import { type JournalLine, openJournal, readLines } from "../../../controller/daemon/journal.ts";
import type { HostListener, Keeper, Linked } from "../../../controller/daemon/keeper.ts";
import { openLogStore } from "../../../controller/daemon/log-store.ts";
import { SPEC } from "../../support/fake-controller.ts";

const [A, B] = ["gpu-a", "gpu-b"] as const;
const spec: RunSpec = {
  ...SPEC,
  hosts: [A, B].map((name) => ({ name, transport: "local", address: "127.0.0.1", env: {}, gpus: { kind: "none", slots: 1 } })),
  launcher: "command",
  job: { kind: "command", argv: ["true"] },
  timeouts: { connectMs: 60_000, startMs: 60_000, stopGraceMs: 1000, runMs: null, ...DETECTION },
  ...RECOVERY,
};
const facts = {
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
const receipt = { signalled: 1, exited: 1, killed: 0, left: 0, leftPids: [], proof: ["pids"] as const, gpuMemoryMiB: null };

type Done = { readonly host: string; readonly command: Command; readonly onDisk: readonly JournalLine[] };
type Answer = (host: string, command: Command) => unknown;

/** A run with two hosts that do what they are told unless `answer` says something else; undefined: as usual. */
function stage(t: TestContext, answer: Answer = () => undefined) {
  const dir = mkdtempSync(join(tmpdir(), "driver-"));
  const journal = openJournal(dir);
  journal.append([{ event: { at: 1, type: "requested", spec, by: "t" } }, { event: { at: 1, type: "controller-started", controller: "c", epoch: 1 } }]);
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
        queueMicrotask(() => listener !== undefined && linked === null && link());
        return () => {
          listener = undefined;
        };
      },
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

const has = (lines: readonly JournalLine[], type: RunEvent["type"], host?: string): boolean =>
  lines.some(({ event }) => event.type === type && (host === undefined || ("host" in event && event.host === host)));

test("a run that goes well: each host is told each thing once, and only with what leads to it on disk", async (t) => {
  const on = stage(t);
  await on.phase("running");
  for (const name of [A, B]) on.host(name).end({ code: 0, signal: null });
  await on.until("the end", on.isDone);
  assert.equal(on.driver.state().phase, "succeeded");
  for (const name of [A, B]) for (const what of ["prepare", "arm", "launch", "forget"] as const) assert.equal(on.count(what, name), 1, `${what} on ${name}`);
  for (const { command, onDisk } of on.done) {
    const needs: Partial<Record<Command["do"], RunEvent["type"]>> = {
      prepare: "host-connected",
      arm: "attempt-begun",
      launch: "host-armed",
      forget: "host-drained",
    };
    const needed = needs[command.do];
    if (needed !== undefined)
      for (const name of [A, B]) assert.ok(needed === "attempt-begun" ? has(onDisk, needed) : has(onDisk, needed, name), `${command.do} before ${needed}`);
    assert.ok(!("epoch" in command) || (command.epoch === 1 && command.controller === "c" && command.run === spec.run));
    if ("record" in command) assert.ok(command.record.seq <= onDisk.length);
  }
  assert.ok(!on.done.some(({ command }) => command.do === "stop"));
  const manifest = JSON.parse(readFileSync(join(on.dir, "manifest.json"), "utf8")) as { status: string };
  assert.equal(manifest.status, "succeeded");
  for (const name of [A, B]) assert.ok(!on.host(name).isHeard(), "nobody listens to it any more");
});

test("a host that is cut off in every step is asked again when it is back, and nothing fails by that", async (t) => {
  const cut = new Set<string>();
  const on = stage(t, (name, { do: what }) => {
    if (name !== A || !["prepare", "arm", "launch"].includes(what) || cut.has(what)) return undefined;
    cut.add(what);
    queueMicrotask(() => {
      on.host(A).lose();
      setTimeout(() => on.host(A).link(), 5);
    });
    return Promise.reject(fail("LINK_LOST", { host: A, why: "cut" }));
  });
  await on.phase("running");
  assert.deepEqual([on.count("prepare", A), on.count("arm", A), on.count("launch", A), on.count("launch", B)], [2, 2, 2, 1]);
  assert.ok(on.said.some((event) => event.type === "host-unseen"));
  assert.equal(on.driver.state().failure, null);
});

test("a stop that went out as the link went is told again over the next one; a shorter one too", async (t) => {
  let lost = false;
  const on = stage(t, (name, { do: what }) => {
    if (name !== A || what !== "stop" || lost) return undefined;
    lost = true;
    queueMicrotask(() => on.host(A).lose());
    return new Promise(() => undefined); // it never answers: nobody knows whether it arrived
  });
  await on.phase("running");
  const stop = (graceMs: number): RunEvent => ({ at: Date.now(), type: "stop-requested", by: "me", why: "x", graceMs });
  on.driver.apply(stop(60_000));
  await on.until("the link to go", () => lost && on.driver.state().hosts[A]?.seen === false);
  assert.equal(on.driver.state().phase, "stopping");
  on.driver.apply(stop(0));
  on.host(A).link();
  await on.until("the end", on.isDone);
  const asked = on.done.flatMap(({ host, command }) => (host === A && command.do === "stop" ? [command.graceMs] : []));
  assert.deepEqual(asked, [60_000, 0]);
  assert.equal(on.driver.state().phase, "stopped");
  for (const host of Object.values(on.driver.state().hosts)) assert.deepEqual(host.receipt, receipt);
});

test("stop wins while hosts are being prepared: nothing is armed or launched after it, whatever answers come late", async (t) => {
  const late: (() => void)[] = [];
  const on = stage(t, (_, { do: what }) =>
    what === "prepare"
      ? new Promise((resolve) => late.push(() => resolve({ dir: "/d", python: null, scratch: null, notes: [], scriptSha256: null, sessionNames: [] })))
      : undefined,
  );
  await on.until("both to be asked", () => late.length === 2);
  on.driver.apply({ at: Date.now(), type: "stop-requested", by: "me", why: "x", graceMs: 0 });
  for (const answer of late) answer();
  await on.until("the end", on.isDone);
  assert.equal(on.driver.state().phase, "stopped");
  assert.deepEqual([on.count("arm", A), on.count("launch", A), on.count("arm", B), on.count("launch", B)], [0, 0, 0, 0]);
});

test("a refusal is the run's failure, with the host's own words; what is no expected failure is a bug, exit 70", async (t) => {
  for (const [error, code, exit] of [
    [fail("PORT_BUSY", { text: "port 1 is taken" }), "PORT_BUSY", 5],
    [new TypeError("x is not a function"), "BUG", 70],
  ] as const) {
    const shown = t.mock.method(console, "error", () => undefined);
    const on = stage(t, (name, { do: what }) => (name === B && what === "arm" ? Promise.reject(error) : undefined));
    await on.until("the end", on.isDone);
    const { failure, phase } = on.driver.state();
    assert.deepEqual([phase, failure?.host, failure?.problem?.code, failure?.exit], ["failed", B, code, exit]);
    assert.equal(on.count("launch", A) + on.count("launch", B), 0);
    assert.equal(on.count("stop", A), 1, "what was armed is disarmed");
    assert.equal(shown.mock.callCount() > 0, !(error instanceof NexaError), "a bug is in the controller's log");
    shown.mock.restore();
  }
});

test("an event that the fold cannot take is left out, and the others of the same moment count", async (t) => {
  const shown = t.mock.method(console, "error", () => undefined);
  const on = stage(t);
  await on.phase("running");
  on.driver.apply({ at: Date.now(), type: "host-failed", host: A, during: "launch", problem: null } as unknown as RunEvent);
  on.driver.apply({ at: Date.now(), type: "host-unseen", host: A, why: "told all the same" });
  await on.until("the second", () => on.driver.state().hosts[A]?.unseenWhy === "told all the same");
  assert.equal(on.driver.state().phase, "running");
  assert.ok(!has(readLines(readFileSync(join(on.dir, "journal.jsonl"))).lines, "host-failed"));
  assert.ok(shown.mock.callCount() > 0);
});

test("one that was let go does nothing more: no event, no command", async (t) => {
  const on = stage(t);
  await on.phase("running");
  on.driver.dispose();
  const [asked, lines] = [on.done.length, on.said.length];
  on.driver.apply({ at: Date.now(), type: "stop-requested", by: "me", why: "x", graceMs: 0 });
  on.host(A).end({ code: 1, signal: null });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([on.done.length, on.said.length, on.driver.state().phase], [asked, lines, "running"]);
  assert.equal(on.isDone(), true);
});
