/** What ranks are told when there is a checkpoint to go on from, by every launcher, and that they are told nothing when there is none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job, Launcher } from "../../../cluster/spec.ts";
import { argvOf, envOf, hostsOf, PAIR } from "./fixtures.ts";

const JOBS: readonly (readonly [Launcher, Job])[] = [
  ["torchrun", { kind: "script", script: "train.py", args: ["--lr", "3e-4"] }],
  ["torchrun-static", { kind: "module", module: "pkg.train", args: [] }],
  ["accelerate", { kind: "script", script: "train.py", args: ["x"] }],
  ["direct", { kind: "module", module: "pkg.train", args: ["x"] }],
  ["direct", { kind: "command", argv: ["./train", "x"] }],
  ["command", { kind: "command", argv: ["./train", "x"] }],
];
const RESUME = ["--resume_from_checkpoint", "{checkpoint}", "--dir={checkpoint}/x"];

for (const [launcher, job] of JOBS) {
  test(`${launcher}, ${job.kind}: resume_args end the program's own, only when there is a checkpoint`, () => {
    const spec = { launcher, job, resumeArgs: RESUME };
    const without = hostsOf(spec, [PAIR[0]], { attempt: 2, checkpoint: null })[0];
    const checkpoint = { step: 20, path: "ckpt/checkpoint-20" };
    const host = hostsOf(spec, [PAIR[0]], { attempt: 2, checkpoint })[0];
    const added = ["--resume_from_checkpoint", "/home/me/ckpt/checkpoint-20", "--dir=/home/me/ckpt/checkpoint-20/x"];
    assert.deepEqual(argvOf(host), [...argvOf(without), ...added]);
    assert.deepEqual([envOf(host)["NEXADIST_CHECKPOINT"], envOf(host)["NEXADIST_ATTEMPT"]], ["/home/me/ckpt/checkpoint-20", "2"]);
    assert.ok(!("NEXADIST_CHECKPOINT" in envOf(without)));
    assert.deepEqual(argvOf(hostsOf(spec, [PAIR[0]])[0]), argvOf(without));
    assert.ok(!argvOf(without).join(" ").includes("{checkpoint}"));
  });
}

test("an absolute path is the same on every host, and a program without resume_args finds it in its environment alone", () => {
  const checkpoint = { step: 3, path: "/data/step_3.pt" };
  const hosts = hostsOf({ resumeArgs: [] }, undefined, { attempt: 2, checkpoint });
  assert.deepEqual(
    hosts.map((host) => envOf(host)["NEXADIST_CHECKPOINT"]),
    ["/data/step_3.pt", "/data/step_3.pt"],
  );
  assert.ok(hosts.every((host) => !argvOf(host).join(" ").includes("step_3")));
});
