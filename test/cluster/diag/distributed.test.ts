/** Which all-reduces are tried, and what failed ones come to: the host, the link or the library that is broken in a made-up world, and nobody else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DiagContext, Result, Trial } from "../../../cluster/diag/check.ts";
import { DISTRIBUTED } from "../../../cluster/diag/checks/distributed.ts";
import { type Conclusion, conclude } from "../../../cluster/diag/distributed/conclude.ts";
import { nextTrial, type Shape, type TrialPlan } from "../../../cluster/diag/distributed/next-trial.ts";
import { judgePairs } from "../../../cluster/diag/judge.ts";
import { hostNames } from "../../support/pair-probes.ts";

/** What is wrong: a trial fails where it says so. */
type World = (plan: TrialPlan) => boolean;

function tryAll(shape: Shape, isBroken: World): readonly Trial[] {
  const trials: Trial[] = [];
  for (;;) {
    const plan = nextTrial(shape, trials);
    if (plan === null) return trials;
    const failure = isBroken(plan) ? { code: "", text: "Connection closed by peer", host: null } : null;
    trials.push({
      ...plan,
      run: `diag_${trials.length}`,
      ranks: plan.hosts.length,
      failure,
      metMs: failure === null ? 900 : null,
      allReduce: failure === null ? { bytes: 16e6, ms: 12 } : null,
    });
    assert.ok(trials.length <= 8);
  }
}

const cpu = (count: number): Shape => ({ hosts: hostNames(count), usesGpus: false, ranks: count });
const gpu = (count: number): Shape => ({ hosts: hostNames(count), usesGpus: true, ranks: 8 * count });
const found = (shape: Shape, isBroken: World): Conclusion | null => conclude(tryAll(shape, isBroken));

test("all well: two hosts, then all, and no more; one rank has nobody to meet", () => {
  assert.deepEqual(
    tryAll(cpu(4), () => false).map(({ hosts, isWhole }) => [hosts.length, isWhole]),
    [[2, false], [4, true]],
  ); // biome-ignore format: pairs
  assert.equal(tryAll(cpu(2), () => false).length, 1);
  assert.equal(tryAll(gpu(1), () => false).length, 1);
  assert.equal(tryAll(cpu(1), () => false).length, 0);
  assert.equal(
    found(cpu(4), () => false),
    null,
  );
});

test("one broken host among three or more is named, wherever it stands; a broken link to the first host or between the first two is the link's", () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 5 }), fc.nat(), (count, k) => {
      const shape = cpu(count);
      const host = shape.hosts[k % count] ?? "";
      const conclusion = found(shape, ({ hosts }) => hosts.includes(host));
      assert.equal(conclusion?.host, host);
      assert.equal(conclusion?.peer, undefined);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 5 }), fc.nat(), (count, k) => {
      const shape = cpu(count);
      const other = shape.hosts[1 + (k % (count - 1))] ?? "";
      const conclusion = found(shape, ({ hosts }) => hosts.includes("h0") && hosts.includes(other));
      assert.deepEqual([conclusion?.peer, conclusion?.host], ["h0", other]);
      assert.match(conclusion?.text ?? "", /it is between them: Connection closed by peer/);
    }),
  );
});

test("two hosts alone: nobody can tell which one, so neither is blamed", () => {
  const conclusion = found(cpu(2), () => true);
  assert.deepEqual([conclusion?.host, conclusion?.peer], [null, undefined]);
});

test("NCCL that fails where Gloo does not: what to switch off is found between hosts and within them", () => {
  const rdma = found(gpu(2), ({ backend, env }) => backend === "nccl" && env.NCCL_IB_DISABLE === undefined);
  assert.match(rdma?.text ?? "", /NCCL works with NCCL_IB_DISABLE=1, not without: RDMA/);
  assert.match(rdma?.fix ?? "", /env: \{NCCL_IB_DISABLE: "1"\}/);
  const peer = found(gpu(2), ({ backend, env, isWhole }) => isWhole && backend === "nccl" && env.NCCL_P2P_DISABLE === undefined);
  assert.match(peer?.text ?? "", /peer-to-peer between GPUs is what fails/);
  const memory = found(gpu(1), ({ backend, env }) => backend === "nccl" && env.NCCL_SHM_DISABLE === undefined);
  assert.match(memory?.text ?? "", /shared memory/);
  assert.match(memory?.fix ?? "", /env: \{NCCL_P2P_DISABLE: "1", NCCL_SHM_DISABLE: "1"\}/);
  const nothingHelps = found(gpu(2), ({ backend }) => backend === "nccl");
  assert.match(nothingHelps?.text ?? "", /gloo works between the same hosts, NCCL does not/);
});

test("whatever fails: few trials, one sentence, and a host is blamed only if it was in a trial that failed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.boolean(), fc.infiniteStream(fc.boolean()), (count, usesGpus, dice) => {
      const trials = tryAll(usesGpus ? gpu(count) : cpu(count), () => dice.next().value);
      const conclusion = conclude(trials);
      assert.equal(
        conclusion === null,
        trials.every(({ failure }) => failure === null),
      );
      const blamed = [conclusion?.host, conclusion?.peer].filter((name) => typeof name === "string");
      for (const name of blamed) assert.ok(trials.some(({ hosts, failure }) => failure !== null && hosts.includes(name)));
      assert.ok(conclusion === null || (conclusion.text.length < 400 && conclusion.fix !== ""));
    }),
  );
});

test("results: what was reached passes with its time; a failure is one finding at the stage where it was; busy GPUs are no finding", () => {
  const judge = (trials: readonly Trial[]): readonly Result[] => judgePairs(DISTRIBUTED, [], { trials, now: 0, tier: "full" } as unknown as DiagContext);
  const short = (results: readonly Result[]): readonly string[] => results.map(({ id, status, host }) => `${status} ${id} ${host}`);
  const good = judge(tryAll(cpu(3), () => false));
  assert.deepEqual(short(good), ["pass dist.rdzv null", "pass dist.gloo null"]);
  assert.match(good[1]?.observed ?? "", /^3 ranks on h0, h1, h2 \(gloo\): the right sum, 16\.0 MB in 12\.0 ms$/);
  const bad = judge(tryAll(cpu(3), ({ hosts }) => hosts.includes("h1")));
  assert.deepEqual(short(bad.filter(({ status }) => status !== "pass")), ["fail dist.rdzv h1"]);
  assert.match(bad[0]?.words?.fix ?? "", /nexadist logs diag_\d/);
  const summed = judge(tryAll(cpu(3), ({ hosts }) => hosts.includes("h1")).map((trial) => ({ ...trial, metMs: 900 })));
  assert.deepEqual(short(summed.filter(({ status }) => status !== "pass")), ["fail dist.gloo h1"]);
  const busy = tryAll(gpu(2), () => true).map((trial): Trial => ({ ...trial, failure: { code: "GPUS_BUSY", text: "ann's run has them", host: "h0" } }));
  assert.deepEqual([...new Set(judge(busy).map(({ status }) => status))], ["skip"]);
  assert.deepEqual(judge([]), []);
});

test("NCCL that fails on the first pair is followed to its host with a third one, where gloo works everywhere", () => {
  for (const host of ["h0", "h1"]) {
    const conclusion = found(gpu(3), ({ hosts, backend }) => backend === "nccl" && hosts.includes(host));
    assert.equal(conclusion?.host, host);
    assert.match(conclusion?.text ?? "", /^by NCCL .*; gloo works/);
  }
});
