/** What happens to an agent happens to nobody else: killed again and again, replaced by another build, or alone for a while, training and its logs go on. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { controllerPid, isRunning, openSeat, readJournal, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { isAgent, isShim, ofRuns, processesOf } from "../support/lab-processes.ts";
import { assertClean } from "../support/outcome.ts";
import { assertWhole, WRITER } from "../support/writer.ts";

const REPO = fileURLToPath(new URL("../..", import.meta.url));
const A = "100.66.164.18";
const KILLS = 20;

/** This build with an agent of other bytes; path of its CLI. */
function otherBuild(dir: string): string {
  const dist = join(dir, "other/dist");
  mkdirSync(join(dir, "other"));
  cpSync(join(REPO, "dist"), dist, { recursive: true });
  symlinkSync(join(REPO, "node_modules"), join(dir, "other/node_modules"));
  appendFileSync(join(dist, "agent.mjs"), "\n// another build\n");
  type Listed = { name: string; path: string; sha256: string; size: number };
  const manifest = JSON.parse(readFileSync(join(dist, "manifest.json"), "utf8")) as { agentBundle: { hash: string; files: Listed[] } };
  const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
  for (const file of manifest.agentBundle.files) {
    const bytes = readFileSync(join(dist, file.path));
    Object.assign(file, { sha256: sha256(bytes), size: bytes.length });
  }
  manifest.agentBundle.hash = sha256(manifest.agentBundle.files.map((file) => `${file.sha256}  ${file.name}\n`).join(""));
  writeFileSync(join(dist, "manifest.json"), JSON.stringify(manifest));
  return join(dist, "cli.mjs");
}

test("the life of an agent", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 1, gpus: 0, options: { "*": { path: "train" } } });
  const host = lab.host("gpu-a");
  const seat = openSeat(t, lab);
  seat.write("c.yaml", `cluster: [{host: ${A}, slots: 2}]\ndefaults: {gpus: 0}\nlauncher: direct\nrestart: {max: 0}\n`);
  seat.write("writer.py", WRITER);

  const agentPid = async (): Promise<number | undefined> => (await processesOf(lab, "gpu-a")).find(isAgent)?.pid;
  const others = async (run: string): Promise<string[]> => ofRuns(await processesOf(lab, "gpu-a"), run).map((each) => `${each.pid} ${each.start}`);
  const size = (run: string): number => seat.log(run, A, "rank0.out").length;
  const begin = async (): Promise<string> => {
    await host.run(["rm", "-f", "/tmp/finish"]);
    const run = await seat.up(["c.yaml", "--", "writer.py", "3", "0.003"]);
    await until("both write", () => [0, 1].every((rank) => seat.log(run, A, `rank${rank}.out`) !== ""));
    return run;
  };
  const finish = async (): Promise<unknown> => host.run(["touch", "/tmp/finish"]);
  /** The end is good, each event came once and in its order, and no byte is lost or doubled. */
  const assertGood = async (run: string): Promise<void> => {
    assertClean(await seat.ended(run));
    const types = readJournal(seat.stateDir, run)
      .map(({ event }) => event.type)
      .filter((type) => ["attempt-begun", "rank-started", "rank-exited", "host-ended", "host-drained"].includes(type));
    assert.deepEqual(types, ["attempt-begun", "rank-started", "rank-started", "rank-exited", "rank-exited", "host-ended", "host-drained"]);
    for (const rank of [0, 1]) {
      const [sum, bytes] = (await host.run(["cat", `/tmp/sum${rank}`])).stdout.split(" ");
      const kept = seat.log(run, A, `rank${rank}.out`);
      assert.equal(kept.length, Number(bytes));
      assert.equal(createHash("sha256").update(kept).digest("hex"), sum);
      assert.deepEqual(assertWhole(seat, run, A, rank, Number(bytes)), []);
    }
  };

  await t.test(`killed ${KILLS} times in a row, each time as soon as it is there: the same processes, every byte once`, async () => {
    const run = await begin();
    const before = await others(run);
    assert.equal(before.length, 3);
    for (let k = 0; k < KILLS; k += 1) {
      const pid = await until("an agent", agentPid);
      await host.run(["kill", "-9", `${pid}`]);
      await until("its end", async () => (await agentPid()) !== pid);
      // The controller dials an agent that dies at once more and more rarely; a person's command starts one now.
      const said = await seat.cli(["agent", "upgrade", "-c", "c.yaml"]);
      assert.equal(said.code, 0, said.out + said.err);
    }
    const then = size(run);
    await until("its logs go on", () => size(run) > then);
    assert.deepEqual(await others(run), before);
    await finish();
    await assertGood(run);
  });

  await t.test("replaced by another build in mid-run: the same processes, every byte once, and the controller works with it", async () => {
    const run = await begin();
    const before = await others(run);
    const old = await agentPid();
    const cli = otherBuild(seat.dir);
    const said = await lab.exec([process.execPath, cli, "agent", "upgrade", "-c", "c.yaml"], { cwd: seat.dir, env: { NEXADIST_STATE_DIR: seat.stateDir } });
    assert.equal(said.exitCode, 0, said.stdout + said.stderr);
    assert.match(said.stdout, /agent of this build runs \(pid \d+\); training was not touched/);
    const now = await agentPid();
    assert.notEqual(now, old);
    const then = size(run);
    await until("its logs go on", () => size(run) > then);
    assert.deepEqual(await others(run), before);
    assert.equal(await agentPid(), now, "the running controller left it alone");
    await finish();
    await assertGood(run);
  });

  for (const dies of [false, true]) {
    await t.test(`alone${dies ? ", and killed too" : ""} while all ranks end: it hands over all of it when a controller is back`, async () => {
      const run = await begin();
      const controller = (await controllerPid(seat.stateDir)) ?? 0;
      process.kill(controller, "SIGKILL");
      await until("the controller's end", () => !isRunning(controller));
      if (dies) await host.run(["kill", "-9", `${await agentPid()}`]);
      const then = size(run);
      await finish();
      await until("all of the run has ended", async () => (await others(run)).length === 0);
      assert.equal((await processesOf(lab, "gpu-a")).some(isShim), false);
      assert.equal(size(run), then, "nobody was there to take it");
      await seat.cli(["ps"]); // any command starts one
      await assertGood(run);
    });
  }
});
