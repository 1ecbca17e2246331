/** A run outlives its controller's disk: another machine takes it over from the agents; the one before is fenced, also when it was only frozen. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { controllerPid, openSeat, readJournal, type Seat } from "../support/controller.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";

const FILE = `cluster:
  - host: 100.66.164.18
  - host: 100.66.164.19
  - host: 100.66.164.20
defaults: {gpus: 0, slots: 1}
backend: command
restart: {max: 3, backoff: 0s}
timeouts: {stop_grace: 1s, connect: 5s}
`;
const HOSTS = ["100.66.164.18", "100.66.164.19", "100.66.164.20"];
const NAMES = ["gpu-a", "gpu-b", "gpu-c"];
const JOB = ["--", "sh", "-c", 'echo pid $$; i=0; while [ ! -e "/tmp/end-$NEXADIST_RUN" ]; do echo "step $i"; i=$((i + 1)); sleep 0.1; done'];

const SCRIPT = `import os, time, helper
print(helper.WORD, os.environ["TOKEN"][::-1], flush=True)
while not os.path.exists("/tmp/end-" + os.environ["NEXADIST_RUN"]):
    time.sleep(0.1)
`;

test("takeover", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 3 });

  const begin = async (name: string): Promise<{ first: Seat; second: Seat; run: string; pids: number[] }> => {
    const [first, second] = [openSeat(t, lab), openSeat(t, lab)];
    for (const seat of [first, second]) seat.write("c.yaml", FILE);
    const run = await first.up(["c.yaml", "--name", name, ...JOB]);
    const pids = await first.wait(run, "three ranks", (_, { ranks, phase }) => phase === "running" && [0, 1, 2].map((rank) => ranks[rank]?.pid ?? 0));
    return { first, second, run, pids };
  };
  const alive = async (pids: readonly number[]): Promise<boolean[]> =>
    Promise.all(pids.map(async (pid, k) => (await lab.host(NAMES[k] ?? "").run(["test", "-d", `/proc/${pid}`])).exitCode === 0));
  const json = async (cli: Promise<{ code: number | null; out: string; err: string }>, code: number): Promise<Record<string, unknown>> => {
    const said = await cli;
    assert.equal(said.code, code, said.out + said.err);
    return JSON.parse(said.out) as Record<string, unknown>;
  };

  await t.test("the controller's disk is gone: another one goes on; nothing restarts, no log byte is missing", async () => {
    const { first, second, run, pids } = await begin("lost");
    const refused = await second.cli(["attach", run, "-c", "c.yaml"]);
    assert.equal(refused.code, 4, refused.out + refused.err);
    assert.match(refused.err, /leads .*--force/s);
    const kept = (await json(second.cli(["ps", "-c", "c.yaml", "--json"]), 0)) as { runs: { run: string; ledBy: string }[] };
    assert.deepEqual(
      kept.runs.map((r) => r.run),
      [run],
    );

    process.kill((await controllerPid(first.stateDir)) ?? 0, "SIGKILL");
    rmSync(first.stateDir, { recursive: true, force: true });
    await json(second.cli(["takeover", run, "-c", "c.yaml", "--force", "-d", "--json"]), 0);
    await second.wait(run, "all hosts to be heard", (_, { hosts, takeover }) => takeover?.isWon === true && HOSTS.every((name) => hosts[name]?.seen));
    assert.deepEqual(await alive(pids), [true, true, true], "the same processes");
    for (const name of NAMES) await lab.host(name).run(["touch", `/tmp/end-${run}`]);
    const ended = await second.ended(run);
    assert.deepEqual([ended.phase, ended.attempt, ended.epoch], ["succeeded", 1, 2]);
    HOSTS.forEach((host, rank) => {
      const lines = second.log(run, host, `rank${rank}.out`).trim().split("\n");
      assert.equal(lines[0], `pid ${pids[rank]}`);
      assert.deepEqual(
        lines.slice(1),
        lines.slice(1).map((_, k) => `step ${k}`),
      );
    });
    for (const host of Object.values(ended.hosts)) assert.ok(host.receipt !== null && host.receipt !== "unknown" && host.receipt.left === 0);
  });

  await t.test("two controllers: told to, the second leads, and the first, which was only frozen, never does anything again", async () => {
    const { first, second, run } = await begin("frozen");
    const pid = (await controllerPid(first.stateDir)) ?? 0;
    process.kill(pid, "SIGSTOP");
    await json(second.cli(["takeover", "frozen", "-c", "c.yaml", "--force", "-d", "--json"]), 0);
    const rank = await second.wait(run, "the takeover", (_, { ranks, takeover }) => takeover?.isWon === true && ranks[1]);
    await lab.host("gpu-b").run(["kill", "-9", `${rank.pid}`]);
    await second.wait(run, "another attempt", (_, { attempt, phase }) => attempt === 2 && phase === "running");
    process.kill(pid, "SIGCONT");
    const fenced = await first.wait(run, "it to see that it is fenced", (_, state) => state.fenced);
    assert.equal(fenced.epoch, 2);
    const events = readJournal(first.stateDir, run).map((line) => line.event.type);
    assert.ok(!events.includes("attempt-diagnosed") && !events.includes("stop-requested"), events.join(" "));
    assert.match((await first.cli(["status", run])).out, /led by the controller on/);
    assert.match((await first.cli(["ps"])).out, /led by/);
    assert.equal((await first.cli(["stop", run])).code, 7);

    await first.quit();
    assert.match((await first.cli(["ps"])).out, /led by/);
    const later = readJournal(first.stateDir, run).map((line) => line.event);
    assert.equal(later.at(-1)?.type, "fenced", "one that is started again does not lead it either");
    const now = await second.wait(run, "the run", (_, state) => state);
    assert.deepEqual([now.phase, now.attempt, now.fenced], ["running", 2, null]);
    assert.equal((await second.cli(["stop", run, "--now"])).code, 0);
    const back = await first.cli(["takeover", run, "-c", "c.yaml"]);
    assert.equal(back.code, 2, back.out + back.err); // it is over: no host keeps it
  });

  await t.test("with a minority of the hosts nothing is started; with the majority it goes on", async () => {
    const { first, second, run, pids } = await begin("few");
    process.kill((await controllerPid(first.stateDir)) ?? 0, "SIGKILL");
    rmSync(first.stateDir, { recursive: true, force: true });
    await allow(lab, false);
    await json(second.cli(["takeover", run, "-c", "c.yaml", "--force", "-d", "--json"]), 0);
    await second.wait(run, "gpu-a", (_, { hosts }) => hosts[HOSTS[0] ?? ""]?.seen);
    await lab.host("gpu-a").run(["kill", "-9", `${pids[0]}`]);
    await second.wait(run, "the end on gpu-a", (_, { hosts }) => hosts[HOSTS[0] ?? ""]?.receipt);
    const state = await second.wait(run, "the run", (events, now) => {
      assert.ok(!events.some((event) => event.type === "attempt-begun"), "a minority begins nothing");
      return now;
    });
    assert.deepEqual([state.takeover?.isWon, state.attempt], [false, 1]);
    const refusing = state.hosts[HOSTS[1] ?? ""];
    assert.deepEqual([refusing?.unseenKind, refusing?.lost], ["auth", null], "credentials that are not taken say nothing about the host");
    await allow(lab, true);
    await second.wait(run, "another attempt, with all", (_, now) => now.takeover?.isWon === true && now.attempt === 2 && now.phase === "running");
    assert.equal((await second.cli(["stop", run, "--now"])).code, 0);
  });

  await t.test("a host that is started again under the new controller gets code and secrets from one that still has them", async () => {
    const [first, second] = [openSeat(t, lab), openSeat(t, lab)];
    const direct = FILE.replace("backend: command\n", "backend: torch.distributed\nlauncher: direct\n");
    first.write("c.yaml", `${direct}env_file: tokens.env\n`);
    first.write("tokens.env", "TOKEN=canary-5317\n");
    first.write("helper.py", "WORD = 'helped'\n");
    first.write("job.py", SCRIPT);
    second.write("c.yaml", direct);
    const run = await first.up(["c.yaml", "--name", "reborn", "--", "job.py"]);
    await first.wait(run, "three ranks", (_, { phase }) => phase === "running");
    process.kill((await controllerPid(first.stateDir)) ?? 0, "SIGKILL");
    rmSync(first.stateDir, { recursive: true, force: true });
    for (const name of ["job.py", "helper.py", "tokens.env"]) rmSync(join(first.dir, name));
    await json(second.cli(["takeover", run, "-c", "c.yaml", "--force", "-d", "--json"]), 0);
    await second.wait(run, "all hosts to be heard", (_, { hosts, takeover }) => takeover?.isWon === true && HOSTS.every((name) => hosts[name]?.seen));
    await lab.host("gpu-c").run(["sh", "-c", "rm -rf ~/.local/state/nexadist/blobs"]);
    await lab.host("gpu-c").kill();
    await lab.host("gpu-c").boot();
    await second.wait(run, "another attempt with all three", (_, { attempt, phase }) => attempt === 2 && phase === "running");
    for (const name of NAMES) await lab.host(name).run(["touch", `/tmp/end-${run}`]);
    const ended = await second.ended(run);
    assert.deepEqual([ended.phase, ended.attempt], ["succeeded", 2]);
    for (const [rank, host] of HOSTS.entries()) assert.equal(second.log(run, host, `rank${rank}.out`, 2), "helped 7135-yranac\n");
    assert.ok(!JSON.stringify(readJournal(second.stateDir, run)).includes("canary-5317"));
  });
});

/** Whether two of the hosts let anybody in: a refusal is quicker than a silence. */
async function allow(lab: Lab, isAllowed: boolean): Promise<void> {
  const [from, to] = isAllowed ? ["shut", "authorized_keys"] : ["authorized_keys", "shut"];
  for (const name of ["gpu-b", "gpu-c"]) {
    const moved = await lab.host(name).run(["sh", "-c", `mv ~/.ssh/${from} ~/.ssh/${to}`]);
    assert.equal(moved.exitCode, 0, moved.stderr);
  }
}
