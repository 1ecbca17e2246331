/** `up` into a pipe whose reader is slow: the run does not wait for it, no process grows, and in the end it has every line once. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { controllerPid, NEXADIST, openSeat } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { entries } from "../support/lab-cluster.ts";

const LINES = 200_000;
/** Of a Node process with a heap of its own; the lines as messages would be more than this. In MiB. */
const RSS_MAX = 220;

const rssMiB = (pid: number): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

test("up into a slow pipe", { skip: needsRoot, timeout: 120_000 }, async (t) => {
  const lab = await startLab(t, { hosts: 1, gpus: 0 });
  const seat = openSeat(t, lab);
  seat.write("cluster.yaml", `cluster:\n${entries(lab, ["gpu-a"])}backend: command\n`);
  // Nothing is read of its stdout until the run is over.
  const job = ["sh", "-c", `seq -f 'a line of a rank that says much, number %.0f, and then some' ${LINES}`];
  const [program, ...words] = lab.argv([NEXADIST, "up", "--", ...job]);
  const up = spawn(program, words, {
    cwd: seat.dir,
    env: { PATH: process.env.PATH, LANG: "C.UTF-8", TZ: "UTC", NEXADIST_STATE_DIR: seat.stateDir },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => up.kill("SIGKILL"));
  const ended = new Promise<number | null>((resolve) => up.once("close", resolve));
  let err = "";
  up.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  while (seat.latest() === "") await new Promise((resolve) => up.stderr.once("data", resolve));
  const run = seat.latest();
  const state = await seat.ended(run);
  assert.equal(state.phase, "succeeded", "the run waited for the reader");
  assert.equal(up.exitCode, null, "up cannot have said all");
  const daemon = (await controllerPid(seat.stateDir)) ?? 0;
  for (const [name, pid] of Object.entries({ controller: daemon, up: up.pid ?? 0 })) assert.ok(rssMiB(pid) < RSS_MAX, `${name}: ${rssMiB(pid)} MiB`);

  let out = "";
  up.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  assert.equal(await ended, 0, err);
  const numbers = [...out.matchAll(/says much, number (\d+), and then some$/gm)].map((m) => Number(m[1]));
  assert.equal(numbers.length, LINES);
  assert.ok(numbers.every((n, k) => n === k + 1));
  assert.match(out, /succeeded/);
  assert.doesNotMatch(err, /left out/);
});
