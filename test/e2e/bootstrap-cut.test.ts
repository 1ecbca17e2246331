/** Uploads that are cut, hosts that are off: what is half done is taken back or finished, and the others go on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostsOf } from "../../cluster/run/state.ts";
import { type Cli, openSeat, type Seat, until } from "../support/controller.ts";
import { type LabHost, needsRoot, startLab } from "../support/lab.ts";
import { entries } from "../support/lab-cluster.ts";
import { assertClean } from "../support/outcome.ts";

const partsOf = async (host: LabHost): Promise<string> => (await host.run(["sh", "-c", "find /root/.local/state/nexadist -name '.tmp-*' 2>/dev/null"])).stdout;

const HELPERS = "^python3 -I -S";
/** Stops the helpers of a host as soon as some MB of the runtime are there; exits 0 when it caught them in the middle. */
const CATCH = `until find /root/.local/state/nexadist/node -path '*/.tmp-*/node' -size +4M 2>/dev/null | grep -q .; do :; done
pkill -STOP -f '${HELPERS}'`;

async function stopInUpload(seat: Seat, host: LabHost, env: Record<string, string>): Promise<Cli> {
  const caught = host.run(["sh", "-c", CATCH], { timeoutMs: 30_000 });
  const up = seat.start(["up", `${host.name}.yaml`, "--name", host.name, "--", "true"], { env });
  const first = await Promise.race([caught, up.done]);
  assert.ok("exitCode" in first && first.exitCode === 0, `the upload was not caught: ${JSON.stringify(first)}`);
  assert.notEqual(await partsOf(host), "", "the upload was over already");
  return up;
}

for (const driver of ["ssh2", "ssh"]) {
  test(`an upload in trouble ends whole or not at all (${driver})`, { skip: needsRoot, timeout: 120_000 }, async (t) => {
    const lab = await startLab(t, { hosts: 3, gpus: 0 });
    const seat = openSeat(t, lab);
    const env = { NEXADIST_SSH: driver };
    for (const { name } of lab.hosts) seat.write(`${name}.yaml`, `cluster:\n${entries(lab, [name])}backend: command\ntimeouts: {connect: 30s}\n`);

    await t.test("the connection breaks: the same up begins again, and the parts go", async () => {
      const host = lab.host("gpu-a");
      const up = await stopInUpload(seat, host, env);
      await host.run(["sh", "-c", "kill -KILL $(pgrep -f '^sshd(-session)?: root@')"]);
      await host.run(["pkill", "-CONT", "-f", HELPERS]);
      const { code, out, err } = await up.done;
      assert.equal(code, 0, `${out}\n${err}`);
      assertClean(await seat.ended(seat.latest()));
      await until("the end of the parts", async () => (await partsOf(host)) === "", 20_000);
    });

    await t.test("the cable is out for a moment: the upload goes on", async () => {
      const host = lab.host("gpu-b");
      const up = await stopInUpload(seat, host, env);
      await host.link("down");
      await host.run(["pkill", "-CONT", "-f", HELPERS]);
      await host.link("up");
      const { code, out, err } = await up.done;
      assert.equal(code, 0, `${out}\n${err}`);
      assertClean(await seat.ended(seat.latest()));
      assert.equal(await partsOf(host), "");
    });

    await t.test("the host loses power: the up can be stopped, the next one works", async () => {
      const host = lab.host("gpu-c");
      const up = await stopInUpload(seat, host, env);
      up.child.kill("SIGTERM"); // off a terminal: stop
      await host.kill();
      const { code } = await up.done;
      assert.notEqual(code, 0);
      await host.boot();
      const again = await seat.cli(["up", "gpu-c.yaml", "--", "true"], { env });
      assert.equal(again.code, 0, `${again.out}\n${again.err}`);
      assertClean(await seat.ended(seat.latest()));
    });
  });
}

test("ten hosts, one of them off: nine are ready, the tenth is named, and min_hosts decides", { skip: needsRoot, timeout: 120_000 }, async (t) => {
  const lab = await startLab(t, { hosts: 10, gpus: 0 });
  const seat = openSeat(t, lab);
  const file = `cluster:\n${entries(
    lab,
    lab.hosts.map(({ name }) => name),
  )}backend: command\ntimeouts: {connect: 4s}\n`;
  seat.write("ten.yaml", file);
  seat.write("nine.yaml", `${file}min_hosts: 9\n`);
  await lab.host("gpu-j").kill();

  const { code, out, err } = await seat.cli(["up", "ten.yaml", "--", "true"]);
  assert.equal(code, 4, `${out}\n${err}`);
  assert.match(out, /9 of 10 hosts are ready, 10 are needed; gpu-j: cannot reach root@100\.66\.164\.27 port 22/);
  const state = await seat.ended(seat.latest());
  assert.equal(state.attempt, 0);
  for (const { name, stage } of hostsOf(state)) assert.ok(stage === (name === "gpu-j" ? "refused" : "connected") || stage === "forgot", `${name} ${stage}`);

  const nine = await seat.cli(["up", "nine.yaml", "--", "sh", "-c", "echo $NEXA_RANK"]);
  assert.equal(nine.code, 0, `${nine.out}\n${nine.err}`);
  assert.match(nine.err, /gpu-j: not reached: cannot reach/);
  const ran = await seat.ended(seat.latest());
  assert.deepEqual([ran.phase, ran.world, ran.members.length, ran.members.includes("gpu-j")], ["succeeded", 9, 9, false]);
});
