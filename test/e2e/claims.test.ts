/** GPUs of real hosts: two controllers of two users race for them, the loser is told who has them, waits its turn through kills, and nothing is left. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { controllerPid, openSeat, type Seat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";

const HOSTS = ["100.66.164.18", "100.66.164.19"];
const NAMES = ["gpu-a", "gpu-b"];
const fileOf = (user: string): string => `cluster: [{host: ${HOSTS[0]}}, {host: ${HOSTS[1]}}]
defaults: {gpus: 2, user: ${user}}
backend: command
timeouts: {stop_grace: 1s, connect: 20s}
`;
/** Until somebody says so. */
const JOB = ["--", "sh", "-c", 'echo "$NEXA_GPUS of $CUDA_VISIBLE_DEVICES"; while [ ! -e "/tmp/end-$NEXADIST_RUN" ]; do sleep 0.05; done'];

test("claims on GPUs", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 2 });
  const [ann, bob] = [openSeat(t, lab), openSeat(t, lab)];
  ann.write("c.yaml", fileOf("trainer"));
  bob.write("c.yaml", fileOf("other"));
  const run = async (host: string, ...argv: string[]): Promise<string> => (await lab.host(host).run(argv)).stdout.trim();
  const finish = async (id: string): Promise<void> => void (await Promise.all(NAMES.map((name) => run(name, "touch", `/tmp/end-${id}`))));
  const running = (seat: Seat, id: string): Promise<unknown> => seat.wait(id, "its ranks", (_, { phase }) => phase === "running");

  await t.test("of two users' controllers that race exactly one gets all; the other is told the run and its owner, waits, and outlives kills", async () => {
    const race = await Promise.all([ann, bob].map((seat) => seat.cli(["--json", "up", "-d", "c.yaml", ...JOB])));
    assert.deepEqual(race.map(({ code }) => code).sort(), [0, 5], JSON.stringify(race));
    const [a, b] = race.map(({ out }) => (JSON.parse(out) as { run: string }).run);
    const phases = await Promise.all(
      [
        { seat: ann, id: a ?? "" },
        { seat: bob, id: b ?? "" },
      ].map(({ seat, id }) => seat.wait(id, "ranks or its end", (_, { phase }) => (phase === "running" || phase === "failed") && phase)),
    );
    assert.deepEqual([...phases].sort(), ["failed", "running"]);
    const [winner, loser, held, refused] = phases[0] === "running" ? [ann, bob, a ?? "", b ?? ""] : [bob, ann, b ?? "", a ?? ""];
    const [user, waiter] = winner === ann ? ["trainer", "other"] : ["other", "trainer"];
    const { failure } = await loser.ended(refused);
    assert.equal(failure?.exit, 5);
    assert.match(failure?.text ?? "", new RegExp(`its GPUs are not free: GPU 0, 1: run ${held}.* of ${user}`));

    const waits = await loser.up(["c.yaml", "--wait", "--name", "patient", ...JOB]);
    await loser.wait(waits, "its place in the queue", (events) => events.some(({ type }) => type === "gpus-busy"));
    const last = await loser.up(["c.yaml", "--wait", "--name", "last", ...JOB]);
    await loser.wait(last, "its place in the queue", (events) => events.some(({ type }) => type === "gpus-busy"));
    const status = await loser.cli(["status", waits]);
    assert.match(status.out, new RegExp(`waiting for GPUs for .*\\n  ${HOSTS[0]}: GPU 0, 1: run ${held}.* of ${user}.*\\n`));
    assert.match((await loser.cli(["ps"])).out, new RegExp(`${waits} +patient +waiting .* of ${user}`));

    process.kill((await controllerPid(loser.stateDir)) ?? 0, "SIGKILL");
    const agents = await run("gpu-a", "pgrep", "-u", waiter, "-f", "agent.mjs");
    await run("gpu-a", "kill", "-9", ...agents.split("\n"));
    await loser.cli(["ps"]);
    await finish(held);
    assert.equal((await winner.ended(held)).phase, "succeeded");
    await running(loser, waits);
    assert.equal((await loser.cli(["status", last])).out.includes(`run ${waits}`), true, "the second in the queue waits for the first");
    await finish(waits);
    await running(loser, last);
    await finish(last);
    assert.equal((await loser.ended(last)).phase, "succeeded");
  });

  const setApps = (apps: readonly object[]): void => {
    const path = join(lab.host("gpu-a").disk, "etc/fake-nvidia-smi.json");
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, "utf8")) as object), apps }));
  };

  await t.test("a foreign process is named before launch; auto takes what is free; force goes beside it, and says so", async () => {
    const pid = Number(await run("gpu-a", "sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!"));
    setApps([{ gpu: 0, pid, process_name: "/usr/bin/sleep", used_gpu_memory: 14000 }]);
    const refused = await ann.cli(["up", "c.yaml", ...JOB]);
    assert.equal(refused.code, 5, refused.out + refused.err);
    assert.match(refused.out, new RegExp(`its GPUs are not free: GPU 0: sleep \\(pid ${pid}, user root, 14000 MiB\\)`));
    const auto = await ann.up(["c.yaml", "--set", "defaults.gpus=auto", "--name", "auto", ...JOB]);
    await running(ann, auto);
    await finish(auto);
    const state = await ann.ended(auto);
    assert.deepEqual([state.phase, state.hosts[HOSTS[0] ?? ""]?.claim?.length, state.hosts[HOSTS[1] ?? ""]?.claim?.length], ["succeeded", 1, 2]);
    assert.equal(ann.log(auto, HOSTS[0] ?? "", "rank0.out"), "1 of 1\n");
    const forced = await ann.up(["c.yaml", "--force", "--name", "forced", ...JOB]);
    await running(ann, forced);
    await finish(forced);
    assert.equal((await ann.ended(forced)).spec.isForced, true);
    const notes = await ann.wait(forced, "its notes", (events) =>
      events.flatMap((event) => (event.type === "gpus-claimed" ? Object.values(event.claims)[0]?.notes : [])),
    );
    assert.deepEqual(notes, [`GPU 0 is also used by sleep (pid ${pid}, user root)`]);
    setApps([]);
  });

  await t.test("what diag finds keeps a launch back before any rank starts; forced it goes on, and that is on record", async () => {
    ann.write("scratch.yaml", `${fileOf("trainer")}paths: {shared: /mnt/none}\n`);
    const kept = await ann.cli(["up", "scratch.yaml", "--name", "kept", ...JOB]);
    assert.equal(kept.code, 5, kept.out + kept.err);
    assert.match(
      kept.out,
      /failed after .*: diag keeps it back .*\n +\S+, \S+: the directories of the file: \/mnt\/none is not there \[disk.mount\]\n +fix:\n +ssh .*mkdir -p \/mnt\/none/s,
    );
    const events = await ann.wait(ann.latest(), "its journal", (all) => all);
    assert.ok(!events.some(({ type }) => type === "host-launched" || type === "rank-started"));
    const forced = await ann.up(["scratch.yaml", "--force", "--name", "in-spite", ...JOB]);
    await running(ann, forced);
    assert.match((await ann.cli(["status", forced])).out, /started by --force in spite of .*\[disk.mount\]/);
    await finish(forced);
    assert.equal((await ann.ended(forced)).phase, "succeeded");
  });

  await t.test("nothing of it is left: no process, no lock, no card", async () => {
    const left = "pgrep -f '[c]laim_holder'; ls /tmp/nexadist-claims 2>/dev/null | grep -v mutex";
    for (const name of NAMES) await until("the end of all holders", async () => (await run(name, "sh", "-c", left)) === "", 20_000);
  });
});
