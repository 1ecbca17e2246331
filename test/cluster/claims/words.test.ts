/** Who keeps GPUs, as a person is told; and a run that waits, in ps and status. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { claimReply, wantOf } from "../../../cluster/claims/claim.ts";
import { keeperCure, keeperWords } from "../../../cluster/claims/words.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import type { HostFacts } from "../../../cluster/spec.ts";
import { runTable } from "../../../cluster/view/run-table.ts";
import { statusLines } from "../../../cluster/view/status.ts";
import { summarise } from "../../../cluster/view/summarise.ts";
import { goodRun } from "../run/model.ts";

const run = { kind: "run", run: "train_1", name: "model", user: "ann" } as const;

test("GPUs of one keeper are one phrase; a process has PID, user and memory; what is not shown is said to be", () => {
  assert.equal(
    keeperWords([
      { ...run, gpu: 0 },
      { ...run, gpu: 1 },
    ]),
    "GPU 0, 1: run train_1 (model) of ann",
  );
  assert.equal(
    keeperWords([{ kind: "process", gpu: 2, pid: 812, process: "python", user: "bob", memoryMiB: 14000 }]),
    "GPU 2: python (pid 812, user bob, 14000 MiB)",
  );
  assert.equal(keeperWords([{ kind: "process", gpu: 2, pid: 812, process: "python" }]), "GPU 2: python (pid 812, of a user that is not shown there)");
  assert.match(
    keeperWords([{ kind: "process", gpu: 0, pid: null, process: "", memoryMiB: 9 }]),
    /^GPU 0: 9 MiB of it are in use by processes that are not shown there/,
  );
  assert.equal(keeperWords([{ ...run, kind: "queue" }]), "run train_1 (model) of ann waits for GPUs there since before");
  assert.equal(keeperWords([{ ...run, gpu: 0, by: "eve (pid 9)" }]), "GPU 0: run train_1 (model) of ann, asked for by eve");
  assert.equal(keeperWords([{ ...run, gpu: 0, by: "ann (pid 9)" }]), "GPU 0: run train_1 (model) of ann");
  assert.equal(keeperWords([{ kind: "lock", gpu: 3 }]), "GPU 3: a process that cannot be seen holds its lock");
  assert.match(keeperWords(Array.from({ length: 9 }, (_, gpu) => ({ kind: "process" as const, gpu, pid: gpu, process: "p" }))), /; and 3 more$/);
});

test("the cure is one's own to use: another user's run is not to be stopped", () => {
  assert.match(keeperCure([{ ...run, gpu: 0, by: "eve (pid 9)" }], "a", "ann", "eve (pid 7)"), /^nexadist stop train_1; or nexadist up --wait/);
  assert.match(keeperCure([{ ...run, gpu: 0, by: "eve (pid 9)" }], "a", "ann", "bob (pid 7)"), /^nexadist up --wait/);
  const both = [0, 1, 2].map((gpu) => ({ ...run, gpu, run: gpu === 0 ? "train_1" : "train_2", by: "eve (pid 9)" }));
  assert.match(keeperCure(both, "a", "ann", "eve (pid 7)"), /^nexadist stop train_1 && nexadist stop train_2; or nexadist up --wait/, "each once");
  assert.match(keeperCure([{ kind: "process", gpu: 0, pid: 5, process: "p", user: "bob" }], "a", "bob", "eve"), /^ssh a 'kill 5'; or .*--force/);
});

test("an agent's answer has a shape and a bound", () => {
  assert.ok(!claimReply.safeParse({ ok: false, busy: [] }).success);
  assert.ok(!claimReply.safeParse({ ok: true, gpus: "GPU-1", notes: [] }).success);
  assert.ok(!claimReply.safeParse({ ok: false, busy: [{ kind: "run", run: "x".repeat(10_000), name: "" }] }).success);
});

test("indices are asked for as UUIDs; CPU ranks ask for nothing", () => {
  const facts = { gpus: [{ index: 1, uuid: "GPU-b", name: "", memoryMiB: null }] } as unknown as HostFacts;
  assert.deepEqual(wantOf({ kind: "list", ids: ["1", "MIG-x"] }, facts), { kind: "list", ids: ["GPU-b", "MIG-x"] });
  assert.equal(wantOf({ kind: "none", slots: 2 }, facts), null);
});

test("a run that waits: why, in ps and status, until it has them or is stopped", () => {
  const events = goodRun();
  const state = replay(
    events.slice(
      0,
      events.findIndex(({ type }) => type === "host-prepared"),
    ),
  );
  const waits = reduce(state, { at: 1000, type: "gpus-busy", busy: { a: "GPU 0: run other of ann" } });
  assert.match(runTable([summarise(waits)], 4000).join("\n"), / waiting .* a: GPU 0: run other of ann/);
  assert.match(statusLines(waits, 4000)[0] ?? "", / {2}waiting {2}/, "the word of ps");
  assert.match(statusLines(waits, 4000).join("\n"), /waiting for GPUs for 3(\.0)? s:\n {2}a: GPU 0: run other of ann\n/);
  const had = reduce(waits, { at: 2000, type: "gpus-claimed", claims: { a: { gpus: ["g"], notes: [] } } });
  assert.doesNotMatch(statusLines(had, 4000).join("\n"), /waiting/);
  const stopped = reduce(waits, { at: 2000, type: "stop-requested", by: "me", why: "", graceMs: 0 });
  assert.doesNotMatch(statusLines(stopped, 4000).join("\n"), /waiting/);
});
