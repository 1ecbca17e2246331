/** After a stop nothing of the run is alive on any host, nothing foreign was touched, and a rank that saves may finish. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import type { RunEvent } from "../../cluster/run/events.ts";
import { hostsOf, type RunState } from "../../cluster/run/state.ts";
import type { Receipt } from "../../cluster/shim-contract.ts";
import { openSeat, type Seat, until } from "../support/controller.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";
import { BYSTANDER, SAVER, UNRULY } from "../support/unruly.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const HOSTS = [
  ["gpu-a", A],
  ["gpu-b", B],
] as const;

/** A process in a host that is none of ours; its PID there. */
async function bystander(t: TestContext, lab: Lab, host: string, env: string[] = []): Promise<{ child: ChildProcess; pid: string }> {
  const [program] = lab.argv(["true"]);
  const child = spawn(program, ["run", lab.name, host, "--", "env", ...env, "python3", "-c", BYSTANDER, "unruly.py"], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  const [data] = (await once(child.stdout, "data")) as [Buffer];
  return { child, pid: data.toString().trim() };
}

/** PIDs of Python programs and shells of a host's jobs; none of its sshd, agent or helper. */
const alive = async (lab: Lab, host: string, pids: readonly string[]): Promise<string[]> => {
  const { stdout } = await lab
    .host(host)
    .run(["sh", "-c", 'for p in "$@"; do read -r _ _ s _ < /proc/$p/stat 2>/dev/null && [ "$s" != Z ] && echo $p; done; true', "-", ...pids]);
  return stdout.split("\n").filter((line) => line !== "");
};

const receiptOf = (state: RunState, host: string): Receipt => {
  const found = state.hosts[host]?.receipt;
  assert.ok(found !== null && found !== undefined && found !== "unknown", `${host} has no receipt`);
  return found;
};

/** Kind → PID of what each unruly rank has started, by host. */
async function unrulyPids(seat: Seat, run: string): Promise<Map<string, Record<string, string>>> {
  const all = new Map<string, Record<string, string>>();
  for (const [k, [name, host]] of HOSTS.entries()) {
    const text = await until(`rank ${k} has started all`, () => /^\{.*\}$/m.exec(seat.log(run, host, `rank${k}.out`))?.[0]);
    all.set(name, JSON.parse(text) as Record<string, string>);
  }
  return all;
}

const isRunning = (_: readonly RunEvent[], state: RunState): boolean => state.phase === "running";

test("stopping on two SSH hosts", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write(
    "c.yaml",
    `cluster: [{host: ${A}}, {host: ${B}}]\ndefaults: {gpus: 0, slots: 1}\nlauncher: direct\nrestart: {max: 0}\ntimeouts: {stop_grace: 2s}\n`,
  );
  seat.write("unruly.py", UNRULY);
  seat.write("saver.py", SAVER);

  await t.test("ranks that ignore SIGTERM, with daemonised, renamed, bare and forking children: all gone, and nothing else", async (t) => {
    const near = await bystander(t, lab, "gpu-b");
    const marked = await bystander(t, lab, "gpu-a", ["NEXADIST_MARK=somebody/else/1/x"]);
    const run = await seat.up(["c.yaml", "--", "unruly.py"]);
    const pids = await unrulyPids(seat, run);
    for (const [name] of HOSTS) assert.equal((await alive(lab, name, Object.values(pids.get(name) ?? {}))).length, 5);

    const { code, out, err } = await seat.cli(["stop", run]);
    assert.equal(code, 0, `${out}\n${err}`);
    for (const [name, host] of HOSTS) {
      assert.deepEqual(await alive(lab, name, Object.values(pids.get(name) ?? {})), []);
      assert.match(out, new RegExp(`^${host.replaceAll(".", "\\.")}: 0 left alive`, "m"));
    }
    const state = await seat.ended(run);
    assert.equal(state.phase, "stopped");
    for (const [, host] of HOSTS) {
      const receipt = receiptOf(state, host);
      assert.equal(receipt.left, 0);
      assert.deepEqual(receipt.leftPids, []);
      assert.ok(receipt.signalled >= 5 && receipt.killed >= 5, JSON.stringify(receipt));
      assert.ok(receipt.exited + receipt.killed >= receipt.signalled, JSON.stringify(receipt));
      assert.ok(receipt.proof.includes("subreaper"));
    }
    assert.deepEqual(await alive(lab, "gpu-b", [near.pid]), [near.pid], "a bystander was killed");
    assert.deepEqual(await alive(lab, "gpu-a", [marked.pid]), [marked.pid], "a bystander with another's mark was killed");
    assert.equal((await seat.cli(["stop", run])).code, 0, "a second stop is harmless");
  });

  await t.test("stop --now gives no grace", async () => {
    const run = await seat.up(["c.yaml", "--set", "timeouts.stop_grace=60s", "--", "unruly.py"]);
    const pids = await unrulyPids(seat, run);
    const { code } = await seat.cli(["stop", "--now", run]);
    assert.equal(code, 0);
    const state = await seat.ended(run);
    for (const [name, host] of HOSTS) {
      assert.deepEqual(await alive(lab, name, Object.values(pids.get(name) ?? {})), []);
      assert.ok(receiptOf(state, host).killed >= 5);
    }
    assert.ok((state.endedAt ?? 0) - (state.stop?.at ?? 0) < 30_000, "it waited for the grace");
  });

  await t.test("SIGINT to an up without a terminal stops the run; exit 9", async () => {
    const up = seat.start(["up", "c.yaml", "--", "saver.py", "0.2"]);
    await Promise.all([up.says(/r0 \| ready/), up.says(/r1 \| ready/)]);
    process.kill(up.pid, "SIGINT");
    const { code, out, err } = await up.done;
    assert.equal(code, 9, err);
    assert.match(out, /r0 \| saved, told 1/);
    assert.match(out, /r1 \| saved, told 1/);
    assert.equal((await seat.ended(seat.latest())).phase, "stopped");
  });

  await t.test("a failing rank: exit 1, which rank on which host, the end of its stderr; its sibling may save first", async () => {
    const { code, out, err } = await seat.cli(["up", "c.yaml", "--set", "timeouts.stop_grace=20s", "--", "saver.py", "3", "fail"]);
    assert.equal(code, 1, err);
    assert.match(out, /==> train_\S+ failed after .*: rank 0 on 100\.66\.164\.18 exited with code 7/);
    assert.match(out.slice(out.indexOf("==> train_")), /the seventh batch is not a number/);
    assert.match(out, /r1 \| saved, told 1/);
    const state = await seat.ended(seat.latest());
    assert.equal(state.ranks[1]?.exit?.code, 0);
    assert.equal(receiptOf(state, B).killed, 0);
  });

  for (const sibling of ["", "fail"]) {
    await t.test(`torchrun: a rank that saves for 8 s ${sibling === "" ? "when stopped" : "when a sibling failed"} finishes`, async () => {
      const run = await seat.up([
        "c.yaml",
        "--set",
        "launcher=torchrun",
        "--set",
        "defaults.slots=2",
        "--set",
        "timeouts.stop_grace=20s",
        "--",
        "saver.py",
        "8",
        sibling,
      ]);
      await seat.wait(run, "running", isRunning);
      await until("all are ready", () => [0, 1, 2, 3].every((rank) => seat.log(run, rank < 2 ? A : B, `rank${rank}.out`).includes("ready")));
      if (sibling === "") assert.equal((await seat.cli(["stop", run])).code, 0);
      const state = await seat.ended(run);
      for (const rank of sibling === "" ? [0, 1, 2, 3] : [1, 2, 3]) {
        assert.match(seat.log(run, rank < 2 ? A : B, `rank${rank}.out`), /saved, told 1/, `rank ${rank}`);
        assert.equal(state.ranks[rank]?.exit?.signal ?? null, null);
      }
      assert.equal(state.phase, sibling === "" ? "stopped" : "failed");
      if (sibling !== "") assert.match(state.failure?.text ?? "", /rank 0 on 100\.66\.164\.18 exited with code 7/);
      for (const host of hostsOf(state)) assert.equal(receiptOf(state, host.name).left, 0);
    });
  }

  await t.test("a host that is off when the stop comes: unknown, never 0, and exit 4; the other host is clean", async () => {
    const run = await seat.up(["c.yaml", "--set", "timeouts.stop_grace=1s", "--", "saver.py", "0.1"]);
    await seat.wait(run, "running", isRunning);
    await lab.host("gpu-b").kill();
    const { code, out } = await seat.cli(["stop", run]);
    assert.equal(code, 4, out);
    assert.match(out, /100\.66\.164\.19: left alive unknown/);
    assert.match(out, /100\.66\.164\.18: 0 left alive/);
    const state = await seat.ended(run);
    assert.equal(state.hosts[B]?.receipt, "unknown");
  });
});
