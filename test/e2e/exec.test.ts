/** The commands that look at hosts and act on them: exec, hosts, cp, and the agents' status, upgrade and uninstall. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openSeat } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { entries } from "../support/lab-cluster.ts";
import { filesOn, processesOn } from "../support/traces.ts";

const FIVE = ["gpu-a", "gpu-b", "gpu-c", "gpu-d", "gpu-e"];
const ODD_NAMES = ["plain", "two words", "-dash", "new\nline", "quote'\"$x", "ünï"];

test("exec, hosts and cp on five hosts of which one is off", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 5, gpus: 2, options: { "gpu-b": { shell: "fish", noisy_bashrc: "1" }, "gpu-d": { python: "none" } } });
  const seat = openSeat(t, lab);
  seat.write("cluster.yaml", `cluster:\n${entries(lab, FIVE)}`);
  await lab.host("gpu-e").kill();

  for (const driver of ["ssh2", "ssh"]) {
    await t.test(`exec over ${driver}: output of four, the fifth named, exit 4`, async () => {
      const env = { NEXADIST_SSH: driver };
      const script = 'echo "out of $(hostname)"; echo "err of $(hostname)" >&2; test "$(hostname)" != gpu-c || exit 7';
      const { code, out, err } = await seat.cli(["exec", "--", "sh", "-c", script], { env });
      assert.equal(code, 4, err);
      for (const name of FIVE.slice(0, 4)) {
        assert.match(out, new RegExp(`^${name} \\| out of ${name}$`, "m"));
        assert.match(err, new RegExp(`^${name} \\| err of ${name}$`, "m"));
      }
      assert.match(err, /^gpu-c: exit 7$/m);
      assert.match(err, /^gpu-e: cannot reach root@/m);
      assert.doesNotMatch(out, /gpu-e/);
      const four = await seat.cli(["--json", "exec", "--exclude", "gpu-e", "--", "sh", "-c", script], { env });
      assert.equal(four.code, 1);
      const json = JSON.parse(four.out) as { schema: number; hosts: { host: string; code: number; stdout: string; via: string }[] };
      assert.equal(json.schema, 1);
      assert.deepEqual(
        json.hosts.map(({ host, code: exit, stdout, via }) => [host, exit, stdout, via]),
        FIVE.slice(0, 4).map((name) => [name, name === "gpu-c" ? 7 : 0, `out of ${name}\n`, driver]),
      );
      for (const host of lab.hosts.slice(0, 4)) assert.deepEqual(await processesOn(host), [], "exec left something running");
    });
  }

  await t.test("hosts: a row each, what is there, who is off and why; nothing is left there", async () => {
    const before = await filesOn(lab.host("gpu-a"));
    const { code, out, err } = await seat.cli(["hosts"]);
    assert.equal(code, 4);
    assert.match(out, /^gpu-a +yes +Linux x86_64 +2 x NVIDIA/m);
    assert.match(out, /^gpu-d +yes .* none /m, "reached, though it can run no agent");
    assert.match(out, /^gpu-e +no /m);
    assert.match(err, /^gpu-d: .*no Python 3\.9/m);
    assert.match(err, /^gpu-e: cannot reach root@/m);
    assert.deepEqual(await filesOn(lab.host("gpu-a")), before);
  });

  await t.test("cp both ways: a directory, odd names, bytes and modes", async () => {
    mkdirSync(join(seat.dir, "tree/deep/er"), { recursive: true });
    for (const name of ODD_NAMES) writeFileSync(join(seat.dir, "tree/deep", name), Buffer.from([0, 255, 10, 13, ...Buffer.from(name)]), { mode: 0o640 });
    writeFileSync(join(seat.dir, "tree/deep/er/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    for (const host of ["gpu-a", "gpu-b", "gpu-d"]) {
      const up = await seat.cli(["cp", "tree", `${host}:there`]);
      assert.equal(up.code, 0, up.err);
      const back = await seat.cli(["cp", `${host}:there`, `back-${host}`]);
      assert.equal(back.code, 0, back.err);
      for (const name of ODD_NAMES) {
        assert.deepEqual(readFileSync(join(seat.dir, `back-${host}/deep`, name)), readFileSync(join(seat.dir, "tree/deep", name)), `${host} ${name}`);
      }
      assert.equal((await lab.host(host).run(["test", "-x", "/root/there/deep/er/run.sh"])).exitCode, 0);
    }
    const onto = await seat.cli(["cp", "tree/deep/plain", "gpu-a:there"]);
    assert.ok(onto.code === 0 || onto.code === 1);
    assert.equal((await lab.host("gpu-a").run(["test", "-d", "/root/there/deep"])).exitCode, 0, "a file replaced a directory");
  });
});

test("agents: status, upgrade under a live run, uninstall to zero bytes, two users and a shared home", { skip: needsRoot }, async (t) => {
  const names = ["gpu-a", "gpu-b", "gpu-c"];
  const lab = await startLab(t, { hosts: 3, gpus: 0, options: { "gpu-b": { shared_home: "nfs" }, "gpu-c": { shared_home: "nfs" } } });
  const seat = openSeat(t, lab);
  const users = Object.fromEntries(names.map((name) => [name, "trainer"]));
  seat.write("cluster.yaml", `cluster:\n${entries(lab, names, users)}backend: command\n`);
  seat.write("other.yaml", `cluster:\n${entries(lab, ["gpu-a"], { "gpu-a": "other" })}backend: command\n`);
  const before = await Promise.all(lab.hosts.map(filesOn));

  await t.test("a second user works beside the first, and cannot talk to the first one's agent", async () => {
    const mine = await seat.up(["--name", "mine", "--", "sleep", "600"]);
    await seat.wait(mine, "running", (_, state) => state.phase === "running");
    const { code, err } = await seat.cli(["up", "other.yaml", "--name", "theirs", "--", "id", "-un"]);
    assert.equal(code, 0, err);
    const look = await lab
      .host("gpu-a")
      .run(["sh", "-c", "ls /tmp/nexadist-2000/*; cat /tmp/nexadist-2000/*/token; ls /home/trainer/.local"], { user: "other" });
    assert.equal(look.stdout, "", "another user sees the agent's files");
    assert.notEqual(look.exitCode, 0);
  });

  await t.test("over the run's links 30 MB come whole, into JSON and into a pipe that is read slowly", async () => {
    const json = await seat.cli(["--json", "exec", "--host", "gpu-a", "--", "seq", "4000000"]);
    const [said] = (JSON.parse(json.out) as { hosts: { via: string; stdout: string; isCut: boolean }[] }).hosts;
    assert.deepEqual([json.code, said?.via, said?.isCut, said?.stdout.length], [0, "agent", false, 30_888_896]);
    const piped = await seat.cli(["exec", "--host", "gpu-a", "--", "seq", "1000000"]);
    assert.equal(piped.code, 0, piped.err);
    assert.ok(piped.out.endsWith("gpu-a | 1000000\n"));
    assert.equal(piped.out.split("\n").length, 1_000_001);
  });

  await t.test("an upgrade under a live run keeps its PIDs", async () => {
    const run = seat.latest();
    const mine = (await seat.cli(["--json", "ps"])).out;
    assert.match(mine, /"mine"/);
    const live = (JSON.parse(mine) as { runs: { run: string; name: string }[] }).runs.find((r) => r.name === "mine")?.run ?? run;
    const pids = async (): Promise<string> => (await lab.host("gpu-a").run(["pgrep", "-u", "trainer", "-x", "sleep"])).stdout;
    const [sleeper, status] = [await pids(), await seat.cli(["--json", "agent", "status"])];
    assert.match(sleeper, /^\d+$/);
    const agents = JSON.parse(status.out) as { hosts: { host: string; agents: { pid: number; isAlive: boolean }[] }[] };
    const pid = agents.hosts[0]?.agents.find((agent) => agent.isAlive)?.pid ?? 0;
    // As if it were of an older build.
    await lab.host("gpu-a").run(["sh", "-c", 'sed -i \'s/"bundle": "./"bundle": "_/\' /tmp/nexadist-2000/*/agent.pid']);
    const upgraded = await seat.cli(["--json", "agent", "upgrade", "--host", "gpu-a"]);
    assert.equal(upgraded.code, 0, upgraded.err);
    const next = (JSON.parse(upgraded.out) as { hosts: { pid: number }[] }).hosts[0]?.pid ?? 0;
    assert.ok(next > 0 && next !== pid, "the agent was not replaced");
    assert.equal(await pids(), sleeper, "the upgrade touched the job");
    await seat.wait(live, "seen again", (events, state) => events.some((e) => e.type === "host-seen" && e.host === "gpu-a") && state.hosts["gpu-a"]?.seen);
    const refused = await seat.cli(["agent", "uninstall", "-y"]);
    assert.equal(refused.code, 5, "uninstall under a live run");
    assert.match(refused.err, /still running here/);
    assert.equal(await pids(), sleeper);
    const stopped = await seat.cli(["stop", "--now", live]);
    assert.equal(stopped.code, 0, stopped.err);
    assert.equal((await seat.ended(live)).phase, "stopped");
  });

  await t.test("uninstall leaves nothing of ours, on all hosts at once, a shared home among them", async () => {
    await seat.quit();
    for (const args of [
      ["agent", "uninstall"],
      ["agent", "uninstall", "other.yaml"],
    ]) {
      const { code, out, err } = await seat.cli(args);
      assert.equal(code, 0, err);
      assert.match(out, /gpu-a: nothing of nexadist is left \(1 agent ended\)/);
    }
    for (const [k, host] of lab.hosts.entries()) {
      assert.deepEqual(await filesOn(host), before[k], host.name);
      assert.deepEqual(await processesOn(host), [], host.name);
    }
    const again = await seat.cli(["agent", "uninstall"]);
    assert.equal(again.code, 0, again.err);
  });
});
