/** `agent status|upgrade|uninstall` with real agents of two entries that share one machine and one home. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startTicks } from "../../../agent/process-start.ts";
import { nexadist, type Place, place, type Said, start } from "../../support/cli.ts";
import { quitController } from "../../support/controller.ts";

type Status = {
  schema: number;
  build: string;
  hosts: { host: string; agents: { key: string; pid: number; bundle: string; running: boolean; runs: { run: string; live: boolean }[] }[] }[];
};

/** Two entries of this machine with a home of the test's own; whatever happens, their agents are gone afterwards. */
async function withEntries(t: TestContext, act: (at: Place, names: readonly [string, string], ask: (...args: string[]) => Promise<Said>) => Promise<void>) {
  const at = place(t);
  const tag = randomBytes(4).toString("hex"); // an agent is keyed by its entry's name, and this machine may hold others
  const names = [`one-${tag}`, `two-${tag}`] as const;
  at.write("cluster.yaml", `cluster:\n${names.map((name) => `  - {host: ${name}, transport: local, gpus: 0, slots: 1}\n`).join("")}`);
  const ask = (...args: string[]) => nexadist(t, at, ["agent", ...args]);
  try {
    await act(at, names, ask);
  } finally {
    await ask("uninstall", "--purge", "--force", "-y"); // it starts a controller where there were runs
    await quitController(join(at.dir, "state"));
  }
}

test("looked at, brought up, looked at again, and taken off both at once: a dry run changes nothing, the end leaves nothing", (t) =>
  withEntries(t, async (at, names, ask) => {
    const status = async () => JSON.parse((await ask("status", "--json")).out) as Status;
    const listed = () => readdirSync(at.home, { recursive: true, encoding: "utf8" }).sort();

    const wouldStart = await ask("upgrade", "--dry-run");
    assert.equal(wouldStart.code, 0, wouldStart.err);
    for (const name of names) assert.match(wouldStart.out, new RegExp(`^${name}: would start an agent of this build$`, "m"));
    assert.match((await ask("uninstall", "--dry-run")).out, new RegExp(`^${names[0]}: would change nothing: nothing of nexadist is there$`, "m"));
    assert.deepEqual(listed(), []);
    assert.deepEqual(
      (await status()).hosts.map((each) => each.agents),
      [[], []],
    );

    assert.equal((await ask("upgrade")).code, 0);
    const up = await status();
    const agents = up.hosts.map((each) => each.agents[0] ?? assert.fail());
    assert.equal(up.schema, 1);
    for (const [k, agent] of agents.entries()) {
      assert.equal(up.hosts[k]?.agents.length, 1, "an entry's own and no other's");
      assert.deepEqual([agent.running, agent.bundle, agent.runs], [true, up.build, []]);
      assert.notEqual(startTicks(agent.pid), null);
    }
    const again = await ask("upgrade");
    assert.match(again.out, new RegExp(`^${names[0]}: is current \\(pid ${agents[0]?.pid}\\)$`, "m"));
    assert.equal(again.err, "");
    assert.match((await ask("upgrade", "--dry-run")).out, new RegExp(`^${names[0]}: would change nothing: agent ${agents[0]?.pid} is of this build$`, "m"));

    // What a run of each left: a file of the user's, which stays, in a directory that would keep the shared part from going.
    const state = join(at.home, ".local/state/nexadist");
    const files = agents.map(({ key }) => {
      const code = join(state, "agents", key, "runs/r1/code");
      mkdirSync(code, { recursive: true });
      writeFileSync(join(code, "result"), "the user's");
      return join(code, "result");
    });
    const before = listed();
    const plan = await ask("uninstall", "--dry-run");
    assert.equal(plan.code, 0, plan.err);
    for (const [k, name] of names.entries()) {
      assert.match(plan.out, new RegExp(`^${name}: would end 1 agent, and remove:$`, "m"));
      assert.match(plan.out, new RegExp(`^${name}: would leave 1 file that jobs wrote:\n {2}${files[k]}$`, "m"));
    }
    assert.deepEqual(listed(), before);
    assert.deepEqual(
      (await status()).hosts.map((each) => each.agents.map(({ running, runs }) => [running, runs])),
      names.map(() => [[true, [{ run: "r1", live: false }]]]),
    );

    const gone = await ask("uninstall");
    assert.equal(gone.code, 0, gone.err);
    for (const [k, agent] of agents.entries()) {
      assert.equal(startTicks(agent.pid), null);
      assert.match(gone.out, new RegExp(`^${names[k]}: nothing of nexadist is left \\(1 agent ended\\)$`, "m"));
      assert.ok(existsSync(files[k] ?? ""), "what the user wrote stays");
      for (const base of ["/tmp", "/dev/shm"]) assert.ok(!existsSync(join(base, `nexadist-${process.getuid?.()}`, agent.key)));
    }
    assert.deepEqual(readdirSync(state), ["agents"], "the last of the two took the shared part away");
    assert.equal((await ask("uninstall", "--purge", "-y")).code, 0);
    assert.ok(!existsSync(state));
  }));

test("one entry's agent goes, its neighbour's stays", (t) =>
  withEntries(t, async (_at, names, ask) => {
    const up = await ask("upgrade");
    assert.equal(up.code, 0, up.err);
    const gone = await ask("uninstall", "--host", names[0] ?? "");
    assert.match(gone.out, /its home also holds the agents of 1 other host/);
    const { hosts } = JSON.parse((await ask("status", "--json")).out) as Status;
    assert.deepEqual(
      hosts.map((each) => each.agents.map((agent) => agent.running)),
      [[], [true]],
    );
  }));

test("taken off by force under a run of one's own: the run is stopped first, so nothing brings an agent back", (t) =>
  withEntries(t, async (at, names, ask) => {
    at.write("wait.py", "import time\nprint('begun', flush=True)\ntime.sleep(600)\n");
    const begun = start(t, at, ["up", "cluster.yaml", "--set", "launcher=direct", "--", "wait.py"]);
    await begun.says(/r0.*begun/);
    const gone = await ask("uninstall", "--force", "-y");
    assert.equal(gone.code, 0, gone.err);
    assert.match(gone.err, /^stopping \S+, which trains there$/m);
    for (const name of names) assert.match(gone.out, new RegExp(`^${name}: nothing of nexadist is left \\(1 agent ended\\)$`, "m"));
    const { out } = await begun.done;
    assert.match(out, /stopped/);
    assert.doesNotMatch(out, /attempt 2/);
    const { hosts } = JSON.parse((await ask("status", "--json")).out) as Status;
    assert.deepEqual(
      hosts.map((each) => each.agents),
      [[], []],
    );
  }));
