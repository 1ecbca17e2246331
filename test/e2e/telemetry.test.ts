/** What real hosts tell of themselves while a run goes on: live, hung, cut off, with the controller away, and after the end. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { controllerPid, openSeat, until } from "../support/controller.ts";
import { type FakeGpus, writeControl } from "../support/fake-gpus.ts";
import { needsRoot, startLab } from "../support/lab.ts";

const HOSTS = ["100.66.164.18", "100.66.164.19"];
const PORT = 19_401;
const FILE = `cluster: [{host: ${HOSTS[0]}}, {host: ${HOSTS[1]}}]
defaults: {gpus: 2, price_per_hour: 36}
backend: command
controller: {metrics: ${PORT}}
timeouts: {stop_grace: 1s, lost: 10m}
`;

test("telemetry of a run", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 2 });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);
  const show = (host: string, state: FakeGpus): Promise<string> => writeControl(join(lab.host(host).disk, "etc"), state);
  const uuids = (host: string): { uuid: string }[] =>
    (JSON.parse(readFileSync(join(lab.host(host).disk, "etc/fake-nvidia-smi.json"), "utf8")) as { gpus: { uuid: string }[] }).gpus;
  const [first = { uuid: "" }, second = { uuid: "" }] = uuids("gpu-a");
  const gpus = async (...args: string[]): Promise<string> => (await seat.cli(["gpus", ...args])).out;
  const lineOf = (text: string, host: string | undefined, gpu: number): string =>
    text.split("\n").find((line) => new RegExp(`^${host} +${gpu} `).test(line)) ?? "";

  const bare = await gpus("-c", "c.yaml");
  assert.equal([...bare.matchAll(/H100 80GB HBM3 +0% +0\.0\/79\.6 +70\/700/g)].length, 4, bare);
  assert.equal((await lab.host("gpu-a").run(["pgrep", "-f", "agent.mjs"])).exitCode, 1, "nothing was left on a bare host");

  const run = await seat.up(["c.yaml", "--", "sleep", "600"]);
  const { ranks } = await seat.wait(run, "its ranks", (_, state) => state.phase === "running" && state);
  const pid = ranks[0]?.pid ?? 0;
  const busy = { "utilization.gpu": "98 %", "power.draw": "690 W", "memory.used": "61000 MiB" };
  const apps = [
    { gpu: 0, pid, process_name: "sleep", used_gpu_memory: 60_000 },
    { gpu: 1, pid: 1, process_name: "train.py, of another", used_gpu_memory: 900 },
  ];
  await show("gpu-a", { gpus: [{ ...first, ...busy }, second], apps });

  await t.test("the rank on its GPU, and a process that is not ours with its user; the same at /metrics", async () => {
    const text = await until("the rank's GPU", async () => {
      const now = await gpus();
      return /98% .*59\.6\/79\.6 +690\/700 .* r0 /.test(lineOf(now, HOSTS[0], 0)) && now;
    });
    assert.match(text, new RegExp(`${HOSTS[0]} GPU 1: process 1 of root, train.py, of another, 0.9 GiB, not of this run`));
    assert.match((await seat.cli(["top"])).out, new RegExp(`r0 +${HOSTS[0]} +${pid} +0 +98% +58.6 +690`));
    const { stdout } = await lab.exec(["curl", "-s", `http://127.0.0.1:${PORT}/metrics`]);
    assert.match(stdout, new RegExp(`nexadist_gpu_utilization_ratio{host="${HOSTS[0]}",uuid="${first.uuid}",index="0"} 0.98`));
    assert.match(stdout, new RegExp(`nexadist_rank_gpu{run="${run}",rank="0",host="${HOSTS[0]}",uuid="${first.uuid}"} 1`));
  });

  await t.test("again and again with --watch", async () => {
    const watch = seat.start(["gpus", "--watch"]);
    await watch.says(/(98% [\s\S]*){3}/);
    watch.child.kill("SIGTERM");
    await watch.done;
  });

  await t.test("a lost GPU is lost, a driver that hangs is told to hang, and neither shows a number", async () => {
    await show("gpu-a", {
      gpus: [
        { ...first, ...busy },
        { ...second, state: "lost" },
      ],
    });
    await until("the lost one", async () => /1 +NVIDIA H100 80GB HBM3( +-){6} +LOST/.test(lineOf(await gpus(), HOSTS[0], 1)));
    await show("gpu-a", { mode: "hang-hard", gpus: [first, second] });
    const text = await until("the hung one", async () => {
      const now = await gpus();
      return now.includes(`${HOSTS[0]}: nvidia-smi hangs`) && now;
    });
    assert.match(lineOf(text, HOSTS[0], 0), /H100 80GB HBM3( +-){6}/);
    assert.match(lineOf(text, HOSTS[1], 0), / 0% /);
    assert.equal((await seat.cli(["status", run, "--json"])).out.includes('"phase":"running"'), true);
    await show("gpu-a", { gpus: [first, second] });
  });

  await t.test("a host that does not answer is stale with its age, and none of its numbers stands still", async () => {
    await lab.host("gpu-b").freeze();
    const text = await until("stale", async () => {
      const now = await gpus();
      return now.includes(`${HOSTS[1]}: stale: it last told`) && now;
    });
    assert.match(lineOf(text, HOSTS[1], 0), /H100 80GB HBM3( +-){6} +stale/);
    await lab.host("gpu-b").thaw();
  });

  await t.test("with the controller away samples are kept, and each comes once", async () => {
    const dir = join(seat.stateDir, "runs", run, "telemetry", HOSTS[0] ?? "");
    const numbers = (): number[] =>
      readdirSync(dir)
        .filter((name) => name.startsWith("s1-"))
        .sort()
        .flatMap((name) => readFileSync(join(dir, name), "utf8").trim().split("\n"))
        .map((line) => (JSON.parse(line) as { seq: number }).seq);
    process.kill((await controllerPid(seat.stateDir)) ?? 0, "SIGKILL");
    const before = numbers().length;
    await seat.cli(["ps"]);
    await until("samples", () => numbers().length > before + 3);
    const all = numbers();
    assert.deepEqual(
      all,
      all.map((_, k) => (all[0] ?? 0) + k),
    );
  });

  await t.test("after the end: what it took, in the manifest, and what was told last", async () => {
    await seat.cli(["stop", run, "--now"]);
    await seat.ended(run);
    const manifest = JSON.parse(readFileSync(join(seat.stateDir, "runs", run, "manifest.json"), "utf8")) as Record<string, number>;
    for (const key of ["cost_usd", "gpu_hours", "energy_kwh"]) assert.ok((manifest[key] ?? 0) > 0, `${key}: ${manifest[key]}`);
    assert.ok((manifest.energy_measured_share ?? 1) < 1, "the driver hung for a while");
    assert.match(await gpus(run), /ended .* ago; this is what its hosts told last/);
    assert.ok(!readFileSync(join(seat.stateDir, "runs", run, "journal.jsonl"), "utf8").includes("memoryUsedMiB"), "samples are no events");
  });
});
