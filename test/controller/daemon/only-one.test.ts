/** One controller for one state directory, on this machine and beside others that share it; who takes over has another id and a higher epoch. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "../../../cluster/errors.ts";
import { hostsOf, type RunState } from "../../../cluster/run/state.ts";
import type { Pong } from "../../../cluster/viewer.ts";
import { type JournalLine, lineText } from "../../../controller/daemon/journal.ts";
import { ask, DAEMON, died, type Ground, isAlive, job, openGrounds, specOf, stateOf, until } from "../../support/mortal.ts";

const one = (t: Parameters<typeof openGrounds>[0]): Ground => {
  const [ground] = openGrounds(t, 1);
  assert.ok(ground !== undefined);
  return ground;
};
const pidOf = async (ground: Ground): Promise<number> => {
  const client = await ground.talk();
  const { pid } = (await client.ask({ ask: "ping" })) as Pong;
  client.close();
  return pid;
};
type Ended = { readonly code: number | null; readonly err: string };
/** A controller started by hand, which is expected to end by itself. */
async function startAnother(ground: Ground): Promise<Ended> {
  const child: ChildProcess = spawn(process.execPath, [DAEMON], {
    env: { ...ground.env, NEXADIST_STATE_DIR: ground.stateDir },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let err = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const [code] = (await once(child, "close", { signal: AbortSignal.timeout(60_000) })) as [number | null];
  return { code, err };
}
const keep = (ground: Ground, name: string, value: object): void => writeFileSync(join(ground.stateDir, name), JSON.stringify(value), { mode: 0o600 });
const kept = (ground: Ground, name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(ground.stateDir, name), "utf8")) as Record<string, unknown>;
const ELSEWHERE = "laptop/net:[4026531999]";

test("a second controller on a state directory leaves, and disturbs neither the first nor its socket", async (t) => {
  const ground = one(t);
  await ground.startController();
  const first = await pidOf(ground);
  const others = await Promise.all([1, 2, 3].map(() => startAnother(ground)));
  for (const other of others) assert.deepEqual([other.code, other.err], [0, ""]);
  assert.equal(await pidOf(ground), first);
});

test("one that ends in order takes its sign of life along: whoever shares the directory need not wait until it is stale", async (t) => {
  const ground = one(t);
  const child = await ground.startController();
  assert.equal(kept(ground, "controller.alive").pid, child.pid);
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
  assert.ok(!existsSync(join(ground.stateDir, "controller.alive")));
});

test("several that start at once: one serves", async (t) => {
  const ground = one(t);
  const children = await Promise.all([1, 2, 3].map(() => ground.startController().catch((error: unknown) => error)));
  const alive = children.filter((child) => (child as ChildProcess).exitCode === null);
  const first = await pidOf(ground);
  await until("the others to leave", () => children.filter((child) => (child as Partial<ChildProcess>).exitCode === null).length <= 1);
  assert.ok(alive.length >= 1);
  assert.equal(await pidOf(ground), first);
});

test("a controller of another machine that is alive on the same directory: refused with words, exit 7, nothing touched", async (t) => {
  const ground = one(t);
  const sign = { machine: ELSEWHERE, at: Date.now() };
  keep(ground, "controller.alive", sign);
  keep(ground, "controller.id", { machine: ELSEWHERE, id: "0123456789abcdef" });
  const refused = await startAnother(ground);
  assert.equal(refused.code, EXIT.controllerLost);
  assert.ok(
    refused.err.includes(`a controller of yours on laptop, or in another network namespace there, uses the same state directory (${ground.stateDir})`),
    refused.err,
  );
  assert.match(refused.err, /try: .*NEXADIST_STATE_DIR/);
  assert.deepEqual([kept(ground, "controller.alive"), kept(ground, "controller.id").id], [sign, "0123456789abcdef"]);
  const said = await ground.nexadist("ps");
  assert.equal(said.code, EXIT.controllerLost, said.err);
  assert.match(said.err, /a controller of yours on laptop/);
});

test("its sign gone stale, its run is taken up with another id and a higher epoch; the agents agree, and refuse the old one from then on", async (t) => {
  const ground = one(t);
  const run = `moved_${ground.hosts[0]}`;
  const first = await ground.startController();
  await ask(ground, specOf(ground, run, job("[ $k -lt 1200 ]")));
  await until("its ranks", () => stateOf(ground, run).phase === "running");
  first.kill("SIGKILL");
  await died(first);
  const before = stateOf(ground, run);
  const { id } = kept(ground, "controller.id");
  assert.equal(before.controller, id);
  // As if the first had been on another machine that died: its name is on both.
  keep(ground, "controller.id", { machine: ELSEWHERE, id });
  keep(ground, "controller.alive", { machine: ELSEWHERE, at: Date.now() - 120_000 });
  const second = await ground.startController();
  const isTaken = (state: RunState): boolean => state.epoch > before.epoch && hostsOf(state).every((host) => host.seen); // before it has spoken the journal is the old one's
  await until("both hosts to be seen", () => isTaken(stateOf(ground, run)));
  const taken = stateOf(ground, run);
  assert.notEqual(taken.controller, id);
  assert.equal(taken.controller, kept(ground, "controller.id").id);
  assert.match(String(kept(ground, "controller.id").machine), new RegExp(`^${hostname()}/`));
  assert.equal(taken.epoch, before.epoch + 1);
  assert.equal(taken.phase, "running");
  assert.deepEqual(taken.ranks, before.ranks, "the same ranks, none started anew");

  // The old one comes back from its sleep, with its id: every host refuses it, and its ranks go on.
  second.kill("SIGKILL");
  await died(second);
  const journal = join(ground.stateDir, "runs", run, "journal.jsonl");
  const whole = ground.journal(run);
  const write = (lines: readonly JournalLine[]): void => writeFileSync(journal, lines.map(lineText).join(""));
  write(
    whole.slice(
      0,
      whole.findIndex(({ event }) => event.type === "controller-started" && event.epoch === taken.epoch),
    ),
  );
  const { machine } = kept(ground, "controller.id");
  keep(ground, "controller.id", { machine, id });
  const third = await ground.startController();
  await until("it knows that it is fenced", () => stateOf(ground, run).fenced !== null);
  const fenced = stateOf(ground, run);
  assert.deepEqual([fenced.fenced?.controller, fenced.fenced?.epoch, fenced.phase], [taken.controller, taken.epoch, "running"]);
  for (const { event } of ground.journal(run))
    if (event.type === "controller-started" && event.controller === id) assert.equal(event.epoch, before.epoch, "it claims nothing back");
  for (const { pid } of Object.values(before.ranks)) assert.ok(isAlive(pid));

  // And who took over goes on, to a stop that is proven.
  third.kill("SIGKILL");
  await died(third);
  write(whole);
  keep(ground, "controller.id", { machine, id: taken.controller });
  await ground.startController();
  const client = await ground.talk();
  await client.ask({ ask: "stop", run, graceMs: null, by: "test", why: "enough" });
  client.close();
  await until("its end", () => stateOf(ground, run).endedAt !== null);
  const ended = stateOf(ground, run);
  assert.equal(ended.phase, "stopped");
  for (const host of hostsOf(ended)) assert.ok(host.receipt !== null && host.receipt !== "unknown" && host.receipt.left === 0);
  for (const { pid } of Object.values(before.ranks)) assert.ok(!isAlive(pid));
});
