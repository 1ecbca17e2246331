/** One controller, commands with different ideas of ssh: each run's hosts, and each command, are reached the way its own environment says. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { delimiter, dirname } from "node:path";
import { test } from "node:test";
import { controllerPid, openSeat, type Seat } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { entries } from "../support/lab-cluster.ts";

/** An `ssh` in front on PATH that says when it is called, and then is the real one. */
function wrapper(seat: Seat, name: string) {
  const log = `${seat.dir}/${name}.log`;
  const program = seat.write(`${name}/ssh`, `#!/bin/sh\necho called >> ${log}\nPATH="\${PATH#*:}"\nexec ssh "$@"\n`);
  chmodSync(program, 0o755);
  const calls = (): number => (existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0);
  return { env: { NEXADIST_SSH: "ssh", PATH: `${dirname(program)}${delimiter}${process.env.PATH}` }, calls };
}

const isRunning = (_: unknown, state: { phase: string }): boolean => state.phase === "running";

test("each run and each command is reached its own way, also after a restart of the controller", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 1, gpus: 0 });
  const seat = openSeat(t, lab);
  seat.write("cluster.yaml", `cluster:\n${entries(lab, ["gpu-a"])}backend: command\n`);
  seat.write("bad.config", "Host *\n  Port 1\n");
  const [one, two] = [wrapper(seat, "one"), wrapper(seat, "two")];

  const first = await seat.up(["--name", "first", "--", "sleep", "600"], { env: one.env });
  await seat.wait(first, "running", isRunning);
  assert.ok(one.calls() > 0);

  await t.test("a second run with another ssh does not use the first one's link", async () => {
    const before = one.calls();
    const { code, err } = await seat.cli(["up", "--name", "second", "--", "true"], { env: two.env });
    assert.equal(code, 0, err);
    assert.ok(two.calls() > 0, "its ssh was never called");
    assert.equal(one.calls(), before);
  });

  await t.test("an ssh_config that leads nowhere, by a relative path, leads nowhere", async () => {
    const env = { NEXADIST_SSH_CONFIG: "bad.config" };
    const { code, out, err } = await seat.cli(["up", "--name", "third", "--set", "timeouts.connect=2s", "--", "true"], { env });
    assert.equal(code, 4, `${out}\n${err}`);
    assert.match(err, /gpu-a: not reached: .*port 1\b/);
    const asked = await seat.cli(["exec", "--", "true"], { env });
    assert.equal(asked.code, 4, "exec went through a link that another command made");
  });

  await t.test("exec takes the link that was made as it would make it, and no other", async () => {
    const via = async (env: Readonly<Record<string, string>>): Promise<string | undefined> => {
      const { code, out, err } = await seat.cli(["--json", "exec", "--", "true"], { env });
      assert.equal(code, 0, err);
      return (JSON.parse(out) as { hosts: { via: string }[] }).hosts[0]?.via;
    };
    const before = one.calls();
    assert.equal(await via({ ...one.env, PATH: `${one.env.PATH}${delimiter}/nowhere` }), "agent");
    assert.equal(one.calls(), before, "a warm link needs no ssh");
    assert.equal(await via({}), "ssh2");
    const late = await seat.cli(["--json", "exec", "--timeout", "500ms", "--", "sh", "-c", "sleep 602 & wait"], { env: one.env });
    assert.equal(late.code, 8, late.err);
    const [host] = (JSON.parse(late.out) as { hosts: { via: string; signal: string; isTimedOut: boolean }[] }).hosts;
    assert.deepEqual([host?.via, host?.signal, host?.isTimedOut], ["agent", "SIGTERM", true]);
    assert.equal((await lab.host("gpu-a").run(["pgrep", "-f", "^sleep 602"])).stdout, "", "what it started runs on");
  });

  await t.test("a controller that another command starts again reaches the run's host its way", async () => {
    const [ones, twos] = [one.calls(), two.calls()];
    process.kill((await controllerPid(seat.stateDir)) ?? 0, "SIGKILL");
    assert.equal((await seat.cli(["ps"], { env: { ...two.env, NEXADIST_SSH_CONFIG: `${seat.dir}/bad.config` } })).code, 0);
    await seat.wait(
      first,
      "reached again",
      (events, state) => events.filter((e) => e.type === "controller-started").length === 2 && state.hosts["gpu-a"]?.seen,
    );
    assert.ok(one.calls() > ones);
    assert.equal(two.calls(), twos);
    const { code, err } = await seat.cli(["stop", "--now", "first"]);
    assert.equal(code, 0, err);
  });
});
