/** The controller is killed at every line of a run's journal and started again: the run goes on as if nothing had been. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "../../../cluster/errors.ts";
import { hostsOf, type RunState } from "../../../cluster/run/state.ts";
import { nextAgentEvent } from "../../../controller/daemon/entries.ts";
import { ask, CANARY, type Death, died, type Ground, holding, isAlive, job, openGrounds, specOf, stateOf, until } from "../../support/mortal.ts";

const SHM = `/dev/shm/nexadist-${userInfo().uid}`;
const text = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

/** Files of the run, of the controller or of a host, that hold the secret's value. */
const secretsLeft = (ground: Ground, run: string): string[] =>
  [SHM, ground.stateDir, join(ground.home, ".local")].flatMap((dir) => holding(dir, CANARY)).filter((path) => path.includes(run));

/** What must hold of any run that has ended, however often its controller was killed. */
function assertWhole(ground: Ground, run: string, state: RunState, logs: "to the byte" | "but for a cut end"): void {
  const lines = ground.journal(run);
  assert.deepEqual(
    lines.map((line) => line.i),
    lines.map((_, k) => k),
  );
  for (const host of ground.hosts) {
    const told = lines.flatMap(({ cursor }) => (cursor?.host === host ? [cursor.index] : []));
    assert.deepEqual(
      told,
      [...new Set(told)].sort((a, b) => a - b),
      "an event of an agent counts once",
    );
    assert.ok(nextAgentEvent(lines, host) >= told.length);
  }
  ground.hosts.forEach((host, rank) => {
    const launches = text(join(ground.home, `launched.${run}.${rank}`))
      .split("\n")
      .filter(Boolean);
    const started = lines.flatMap(({ event }) => (event.type === "rank-started" && event.rank === rank ? [event.pid] : []));
    assert.ok(launches.length <= 1, `rank ${rank} was launched ${launches.length} times`);
    assert.deepEqual([...new Set(started)], launches.map(Number), "the rank that ran is the rank that is known");
    for (const pid of launches) assert.ok(!isAlive(Number(pid)), `rank ${rank} is left`);
    const kept = text(join(ground.stateDir, "runs", run, "logs/a1", host, `rank${rank}.out`));
    const wrote = text(join(ground.home, `said.${run}.${rank}`));
    // What writes to both is ended between the two by a stop.
    const shorter = logs === "to the byte" ? wrote.length : Math.min(wrote.length, kept.length);
    assert.equal(kept.slice(0, logs === "to the byte" ? undefined : shorter), wrote.slice(0, shorter), `every byte of rank ${rank} once`);
    assert.ok(wrote.length - kept.length < 64, `the end of rank ${rank}`);
  });
  for (const { name, agent, receipt, mayRun } of hostsOf(state)) {
    assert.ok(!mayRun && receipt !== "unknown", `${name} was asked`);
    if (receipt !== null) assert.equal(receipt.left, 0);
    if (agent !== null) assert.ok(!existsSync(join(SHM, agent.key, run)), `secrets are left on ${name}`);
  }
  assert.deepEqual(
    [...holding(SHM, CANARY), ...holding(ground.stateDir, CANARY)].filter((path) => path.includes(run)),
    [],
  );
  const manifest = JSON.parse(text(join(ground.stateDir, "runs", run, "manifest.json"))) as { status: string };
  assert.equal(manifest.status, state.phase);
  assert.ok(!existsSync(join(ground.stateDir, "runs", run, "reserve")), "the reserve is given back");
}

const over = (ground: Ground, run: string): Promise<void> =>
  until(`the end of ${run}`, () => {
    const state = stateOf(ground, run);
    return state.endedAt !== null && hostsOf(state).every((host) => host.agent === null || host.stage === "forgot");
  });

/** Lanes run side by side, each with hosts and a controller of its own, one case after the other. */
const LANES = 3;
const lanes = async <T>(grounds: readonly Ground[], cases: readonly T[], body: (ground: Ground, one: T) => Promise<void>): Promise<void> => {
  const left = [...cases.entries()];
  const ends = await Promise.allSettled(
    grounds.map(async (ground) => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await body(ground, next[1]);
    }),
  );
  for (const end of ends) if (end.status === "rejected") throw end.reason;
};

/** Lines of a run on two hosts that goes well. */
const LINES = 21;
/** Lines before which a host has done something that nobody has written down yet. */
const UNTOLD = [2, 4, 6, 8, 10, 14, 18];
const wellDeaths: readonly Death[] = [
  ...Array.from({ length: LINES - 1 }, (_, k) => ({ DIE_AFTER: `${k + 2}` })), // the first two lines are one write
  ...UNTOLD.map((n) => ({ DIE_BEFORE: `${n}` })),
];
const nameOf = (ground: Ground, prefix: string, death: Death): string => `${prefix}_${ground.hosts[0]}_${Object.entries(death).flat().join("_").toLowerCase()}`;

test("killed after any line, and before lines that tell of a deed, the run ends as it would have and nothing is done twice", async (t) => {
  const grounds = openGrounds(t, LANES);
  await lanes(grounds, wellDeaths, async (ground, death) => {
    const run = nameOf(ground, "well", death);
    const first = await ground.startController(death);
    await ask(ground, specOf(ground, run, job("[ $k -lt 10 ]")));
    await died(first);
    assert.equal(first.signalCode, "SIGKILL", run);
    await goOn(ground, run, "DIE_BEFORE" in death ? EXIT.ok : null);
    const state = stateOf(ground, run);
    assert.equal(state.phase, "succeeded", run);
    assertWhole(ground, run, state, "to the byte");
  });
});

/** Another controller, started by a command that waits for the run's end and leaves with `code`, or, null, by itself: the run ends. */
async function goOn(ground: Ground, run: string, code: number | null): Promise<void> {
  if (code === null) await ground.startController();
  else {
    const said = await ground.nexadist("attach", run);
    assert.equal(said.code, code, `${run}: ${said.out}${said.err}`);
  }
  await over(ground, run);
  await quit(ground);
}

/** Stopped when the journal holds `at` lines; dead at that very line, or `later` lines after it. */
const stops: readonly { readonly at: number; readonly later: number }[] = [
  ...[2, 4, 6, 8, 10].map((at) => ({ at, later: 0 })),
  ...[0, 2, 4, 5, 6, 8].map((later) => ({ at: 13, later })),
];

test("killed with a stop just asked, the stop still happens, and what ran is ended and proven to be", async (t) => {
  const grounds = openGrounds(t, LANES);
  await lanes(grounds, stops, async (ground, { at, later }) => {
    const run = `stop_${ground.hosts[0]}_${at}_${later}`;
    const first = await ground.startController(later === 0 ? { DIE_ON: "stop-requested" } : { DIE_AFTER: `${at + 1 + later}` });
    await ask(ground, specOf(ground, run, job("[ $k -lt 1200 ]")));
    await until(`${at} lines of ${run}`, () => ground.journal(run).length >= at);
    const client = await ground.talk();
    await client.ask({ ask: "stop", run, graceMs: null, by: "test", why: "enough" }).catch(() => undefined);
    client.close();
    await died(first);
    assert.equal(first.signalCode, "SIGKILL", run);
    await goOn(ground, run, later === 0 ? EXIT.stopped : null);
    const state = stateOf(ground, run);
    assert.equal(state.phase, "stopped", run);
    assertWhole(ground, run, state, "but for a cut end");
  });
});

test("killed as it wrote that no host was reached, the next one leaves no secret and a manifest that is final", async (t) => {
  const [ground] = openGrounds(t, 1);
  assert.ok(ground !== undefined);
  const run = `nobody_${ground.hosts[0]}`;
  const spec = specOf(ground, run, ["true"]);
  const first = await ground.startController({ DIE_AFTER: "4" });
  const hosts = spec.hosts.map((host) => ({ ...host, transport: "ssh" as const, sshHost: "127.0.0.1", port: 1 }));
  await ask(ground, { ...spec, hosts, timeouts: { ...spec.timeouts, connectMs: 100 } });
  await died(first);
  assert.equal(stateOf(ground, run).phase, "failed");
  assert.notDeepEqual(secretsLeft(ground, run), [], "the controller held the secrets when it died");
  assert.equal((await ground.nexadist("ps")).code, 0);
  await quit(ground);
  assertWhole(ground, run, stateOf(ground, run), "to the byte");
});

async function quit(ground: Ground): Promise<void> {
  const client = await ground.talk();
  const { pid } = (await client.ask({ ask: "ping" })) as { pid: number };
  client.ask({ ask: "quit" }).catch(() => undefined);
  await until("the controller's end", () => !isAlive(pid));
  client.close();
}
