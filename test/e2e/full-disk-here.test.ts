/** The controller's disk is full in mid-run: ranks do not wait for it, it is said, and all lines are there once there is room. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSeat, quitController, until, waitFor } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { entries } from "../support/lab-cluster.ts";

const LINES = 100_000;
/** Says more than the disk holds, then waits for a word. */
const JOB = `seq -f 'a line of a rank that says much, number %.0f, and then some' ${LINES}
touch /root/said
until test -e /root/go; do sleep 0.1; done
echo the end`;

test("a full disk on the controller's side", { skip: needsRoot, timeout: 120_000 }, async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "nexa-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", stateDir]);
  t.after(async () => {
    await quitController(stateDir);
    execFileSync("umount", ["-l", stateDir]);
    rmdirSync(stateDir);
  });
  const lab = await startLab(t, { hosts: 1, gpus: 0 });
  const seat = openSeat(t, lab);
  seat.write("cluster.yaml", `cluster:\n${entries(lab, ["gpu-a"])}backend: command\n`);
  const up = seat.start(["up", "--", "sh", "-c", JOB], { env: { NEXADIST_STATE_DIR: stateDir } });
  await up.says(/gpu-a: the disk of this machine is full at \S+; its log lines are kept on the host/);
  const run = /(\w+): connecting to 1 host/.exec(up.text())?.[1] ?? assert.fail(up.text());
  const host = lab.host("gpu-a");
  await until("the rank to have said all", async () => (await host.run(["test", "-e", "/root/said"])).exitCode === 0);
  const path = join(stateDir, "runs", run, "logs/a1/gpu-a/rank0.out");
  assert.ok(!existsSync(path) || !readFileSync(path, "utf8").includes(`number ${LINES},`), "it was never full");
  const status = await seat.cli(["status"], { env: { NEXADIST_STATE_DIR: stateDir } });
  assert.match(status.out, /running/, status.out + status.err);
  assert.match(status.out, /^the disk of this machine is full at .*: log lines are kept on the hosts/m);

  execFileSync("mount", ["-o", "remount,size=64m", stateDir]);
  await until("all lines", () => readFileSync(path, "utf8").includes(`number ${LINES},`));
  await host.run(["touch", "/root/go"]);
  const { code, out, err } = await up.done;
  assert.doesNotMatch(err, /no word from its agent/, "the host has nothing to do with it");
  assert.equal(code, 0, err);
  const state = await waitFor(stateDir, run, "its end", (_, at) => (at.endedAt === null ? null : at));
  assert.deepEqual([state.phase, state.logsIncomplete], ["succeeded", []]);
  for (const [where, text] of Object.entries({ file: readFileSync(path, "utf8"), viewer: out })) {
    const numbers = [...text.matchAll(/number (\d+), and then some$/gm)].map((m) => Number(m[1]));
    assert.ok(numbers.length === LINES && numbers.every((n, k) => n === k + 1), `${where}: ${numbers.length} lines`);
    assert.match(text, /the end$/m);
  }
});
