/** What the commands that talk to a controller say and how they end, against a scripted controller on the real wire. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { replay } from "../../../cluster/run/reduce.ts";
import type { RunSummary } from "../../../cluster/viewer.ts";
import { nexadist, place, start } from "../../support/cli.ts";
import { type Asked, fakeController, lifeOf, SPEC } from "../../support/fake-controller.ts";

const FILE = "cluster:\n  - {host: gpu-a, gpus: 0, slots: 1}\n  - {host: gpu-b, gpus: 0, slots: 1}\n";
const RUN = SPEC.run;
const summary = (phase: RunSummary["phase"]): RunSummary => ({
  run: RUN,
  name: "demo",
  phase,
  hosts: 2,
  ranks: 2,
  attempt: 1,
  requestedAt: 1,
  endedAt: null,
  file: null,
  by: "t",
  failure: null,
});

/** Answers `watch` with events of a life, then does `after`. */
const watching =
  (until: "running" | "succeeded" | "failed", after: (asked: Asked) => void = (asked) => asked.end(null)) =>
  (asked: Asked): void => {
    const { request } = asked;
    if (request.ask === "runs") asked.end([]);
    else if (request.ask === "up") asked.end({ run: RUN });
    else if (request.ask === "logs") asked.end(null);
    else if (request.ask === "watch") {
      for (const [index, event] of lifeOf(SPEC, until).entries()) if (index >= request.from) asked.item({ kind: "event", index, event });
      after(asked);
    }
  };

test("up: lines, receipts, exit 0", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  const fake = await fakeController(
    t,
    watching("succeeded", (asked) => {
      asked.item({ kind: "line", line: { host: "gpu-a", rank: 0, stream: "out", attempt: 1, at: 0, text: "10%\r20%\x1b]0;owned\x07" } });
      asked.end(null);
    }),
  );
  const said = await nexadist(t, at, ["up"], { NEXADIST_STATE_DIR: fake.stateDir });
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /==> running \(attempt 1, 2 ranks\)/);
  assert.match(said.err, /gpu-a: ready \(ssh2: default\)/);
  assert.match(said.out, /^00:00:00 gpu-a r0 \| 20%␛\]0;owned␇$/m);
  assert.match(said.out, /gpu-b: 0 left alive \(signalled 0, exited 2, killed 0; proof: subreaper \+ pids\)/);
  assert.match(said.out, /==> train_20260102_030405 succeeded/);
  assert.ok(!said.out.includes("\x1b") && !said.err.includes("\x1b"), "no escape reaches what is no terminal");
  const up = fake.asked.find((request) => request.ask === "up");
  assert.deepEqual(up?.ask === "up" && up.spec.hosts.map((h) => h.name), ["gpu-a", "gpu-b"]);
});

test("up: a failed run exits 1, with --json every line is an object with a schema", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  const fake = await fakeController(t, watching("failed"));
  const said = await nexadist(t, at, ["up", "--json"], { NEXADIST_STATE_DIR: fake.stateDir });
  assert.equal(said.code, 1, said.err);
  const lines = said.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { schema: number; kind: string; exit?: number });
  assert.ok(lines.every((line) => line.schema === 1));
  assert.deepEqual([lines.at(-1)?.kind, lines.at(-1)?.exit], ["end", 1]);
  assert.equal(said.err, "");
});

test("up -d leaves at once and says how to come back", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  const fake = await fakeController(
    t,
    watching("running", () => undefined),
  );
  const said = await nexadist(t, at, ["up", "-d"], { NEXADIST_STATE_DIR: fake.stateDir });
  assert.deepEqual([said.code, said.out], [0, `${RUN}\n`]);
  assert.match(said.err, /nexadist attach train_20260102_030405/);
  assert.ok(!fake.asked.some((request) => request.ask === "watch" || request.ask === "stop"));
});

test("without a terminal SIGTERM to up stops the run, SIGHUP leaves it, attach never stops it", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  let watch: Asked | undefined;
  const fake = await fakeController(t, (asked) => {
    if (asked.request.ask === "stop") {
      asked.end({ over: false });
      const events = [
        { at: 1, type: "stop-requested" as const, by: "t", why: "", graceMs: 0 },
        ...lifeOf(SPEC, "succeeded").slice(lifeOf(SPEC, "running").length),
      ];
      const from = lifeOf(SPEC, "running").length;
      for (const [k, event] of events.entries()) watch?.item({ kind: "event", index: from + k, event });
      watch?.end(null);
      return;
    }
    if (asked.request.ask === "runs" && asked.request.all) return asked.end([summary("running")]);
    if (asked.request.ask === "run") return asked.end({ state: replay(lifeOf(SPEC, "running")), events: lifeOf(SPEC, "running").length, dir: "/d" });
    watching("running", (one) => {
      watch = one;
    })(asked);
  });
  const env = { NEXADIST_STATE_DIR: fake.stateDir };

  const stopped = start(t, at, ["up"], env);
  await stopped.says(/running \(attempt 1/);
  stopped.child.kill("SIGTERM");
  const end = await stopped.done;
  assert.equal(end.code, 9, end.err);
  assert.match(end.out, /gpu-a: 0 left alive/);
  const stops = fake.asked.filter((request) => request.ask === "stop");
  assert.deepEqual(
    stops.map((request) => "why" in request && request.why),
    ["SIGTERM to the command that watched it"],
  );

  const left = start(t, at, ["up"], env);
  await left.says(/running \(attempt 1/);
  left.child.kill("SIGHUP");
  const leaving = await left.done;
  assert.equal(leaving.code, 0, leaving.err);
  assert.match(leaving.err, /goes on without this terminal/);

  const attached = start(t, at, ["attach"], env);
  const asksWatch = fake.next("watch");
  await attached.says(/is running/);
  const { from, last } = { last: null, ...(await asksWatch) } as { from: number; last: number | null };
  assert.deepEqual([from, last], [lifeOf(SPEC, "running").length, 20], "one request for what was and what comes");
  attached.child.kill("SIGINT");
  assert.equal((await attached.done).code, 0);
  assert.equal(fake.asked.filter((request) => request.ask === "stop").length, 1, "only the first was stopped");
});

test("a reader that goes away ends up quietly and stops nothing", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  const fake = await fakeController(
    t,
    watching("running", (asked) => {
      const timer = setInterval(() => asked.item({ kind: "line", line: { host: "gpu-a", rank: 0, stream: "out", attempt: 1, at: 0, text: "x" } }), 5);
      asked.socket.once("close", () => clearInterval(timer));
    }),
  );
  const running = start(t, at, ["up"], { NEXADIST_STATE_DIR: fake.stateDir });
  await running.says(/\| x/);
  running.child.stdout?.destroy();
  const said = await running.done;
  assert.equal(said.code, 0, said.err);
  assert.ok(!fake.asked.some((request) => request.ask === "stop"));
});

test("a lost controller in mid-watch is found again and nothing is told twice", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  let times = 0;
  const fake = await fakeController(t, (asked) =>
    watching(times === 0 ? "running" : "succeeded", (one) => (times++ === 0 ? one.socket.destroy() : one.end(null)))(asked),
  );
  const said = await nexadist(t, at, ["up"], { NEXADIST_STATE_DIR: fake.stateDir });
  assert.equal(said.code, 0, said.err);
  assert.equal(said.err.match(/==> running/g)?.length, 1);
  assert.match(said.err, /the controller is gone, training is not/);
  assert.match(said.err, /log lines of the last \d+ s may be missing here: nexadist logs train_20260102_030405 --since \d+s/);
});

test("a controller of another protocol: exit 6 with the cure; a taken name: exit 2", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  const old = await fakeController(t, () => undefined, 99);
  const said = await nexadist(t, at, ["ps"], { NEXADIST_STATE_DIR: old.stateDir });
  assert.equal(said.code, 6);
  assert.match(said.err, /another version/);
  const busy = await fakeController(t, (asked) => {
    if (asked.request.ask === "runs") asked.end([{ ...summary("running"), name: "cluster" }]);
    if (asked.request.ask === "up") asked.problem({ code: "RUN_NAME_TAKEN", message: "cluster is running already as r", hint: "nexadist attach r", exit: 2 });
  });
  const taken = await nexadist(t, at, ["up"], { NEXADIST_STATE_DIR: busy.stateDir });
  assert.equal(taken.code, 2);
  assert.match(taken.err, /running already as r\n {2}try: nexadist attach r/);
});

test("ps, runs, status and logs", async (t) => {
  const at = place(t);
  const fake = await fakeController(t, (asked) => {
    const { request } = asked;
    if (request.ask === "runs") return asked.end([summary("running")]);
    if (request.ask === "run") return asked.end({ state: replay(lifeOf(SPEC, "running")), events: 3, dir: "/d" });
    if (request.ask === "logs") {
      const line = { host: "gpu-b", rank: 1, stream: "err" as const, attempt: 1, at: 0 };
      for (const text of ["bee", "boo", "oops"]) asked.item({ kind: "line", line: { ...line, text } });
      asked.item({ kind: "line", line: { ...line, text: "", gap: { from: 8, to: 12_300_008, why: "quota" } } });
      asked.item({ kind: "line", line: { ...line, text: "bar" } });
      if (request.want.follow) asked.item({ kind: "caught-up" });
      if (request.want.follow) asked.item({ kind: "line", line: { ...line, text: "by now" } });
      asked.end(null);
    }
  });
  const env = { NEXADIST_STATE_DIR: fake.stateDir };
  const ps = await nexadist(t, at, ["ps"], env);
  assert.match(ps.out, /^RUN +NAME +PHASE[^\n]*\ntrain_20260102_030405 +demo +running +2 +2 +1 /);
  const asJson = JSON.parse((await nexadist(t, at, ["runs", "--json"], env)).out) as { schema: number; runs: RunSummary[] };
  assert.deepEqual([asJson.schema, asJson.runs[0]?.run], [1, RUN]);
  const status = await nexadist(t, at, ["status", "train_2026"], env);
  assert.match(status.out, /r1 +gpu-b +101 +running/);
  const logs = await nexadist(t, at, ["logs", "--rank", "1", "--stream", "err", "-n", "3", "--grep", "b."], env);
  const gap = "00:00:00 gpu-b r1 err | ── gap: 12.3 MB not kept (quota) ──";
  assert.equal(logs.out, `00:00:00 gpu-b r1 err | boo\n${gap}\n00:00:00 gpu-b r1 err | bar\n`, "found here, a gap is never left out");
  const want = fake.asked.findLast((request) => request.ask === "logs");
  assert.deepEqual(want?.ask === "logs" && [want.want.ranks, want.want.streams, want.want.last, want.want.follow], [[1], ["err"], null, false]);
  const followed = await nexadist(t, at, ["logs", "-f", "-n", "1", "--grep", "b", "--json"], env);
  const lines = followed.out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { line: { text: string } }).line.text);
  assert.deepEqual(lines, ["bar", "by now"], "the last of what was stored, then what is new");
  const all = (await nexadist(t, at, ["logs", "--json"], env)).out.trim().split("\n");
  assert.deepEqual((JSON.parse(all[3] ?? "") as { line: object }).line, {
    ...{ host: "gpu-b", rank: 1, stream: "err", attempt: 1, at: 0, text: "" },
    gap: { from: 8, to: 12_300_008, why: "quota" },
  });
  const asked = fake.asked.filter((request) => request.ask === "logs").length;
  for (const [args, words] of [
    [["--host", "nope"], /has no host nope; it has gpu-a, gpu-b$/m],
    [["--host", "gpu-a,gpu-x"], /has no host gpu-x.*\n {2}try: did you mean gpu-/],
    [["--host", "gpu[1-1000000000]"], /is too large/],
    [["--rank", "0,99"], /has no rank 99: there are ranks 0 to 1/],
    [["--attempt", "7"], /has no attempt 7: there is only attempt 1/],
    [["--attempt", "0"], /counted from 1/],
  ] as const) {
    const wrong = await nexadist(t, at, ["logs", ...args], env);
    assert.deepEqual([wrong.code, wrong.out], [2, ""], wrong.err);
    assert.match(wrong.err, words);
  }
  assert.equal(fake.asked.filter((request) => request.ask === "logs").length, asked, "nothing was read for a filter that is wrong");
  const none = await nexadist(t, at, ["status", "nothing"], env);
  assert.equal(none.code, 2);
  assert.match(none.err, /there is no run nothing/);
});

test("exec through the controller: a command that cannot be started or floods is a failure of it, exit 1, not a host that is off", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  for (const [code, exit] of [
    ["EXEC_FAILED", 1],
    ["EXEC_SLOW", 1],
    ["HOST_REFUSED", 4],
  ] as const) {
    const fake = await fakeController(t, ({ request, end, problem }) => {
      if (request.ask !== "exec") return;
      if (request.host.name === "gpu-a") end({ code: 0, signal: null });
      else problem({ code, message: "it said no", hint: "", exit });
    });
    const said = await nexadist(t, at, ["exec", "--", "x"], { NEXADIST_STATE_DIR: fake.stateDir });
    assert.deepEqual([said.code, said.err], [exit, "gpu-b: it said no\n"]);
  }
});

test("stop waits for the receipts: 0 when nothing is left, 4 when a host could not be asked", async (t) => {
  const at = place(t);
  const before = lifeOf(SPEC, "running");
  const rest = lifeOf(SPEC, "succeeded").slice(before.length);
  for (const isUnknown of [false, true]) {
    const fake = await fakeController(t, (asked) => {
      const { request } = asked;
      if (request.ask === "runs") return asked.end([summary("running")]);
      if (request.ask === "run") return asked.end({ state: replay(before), events: before.length, dir: "/d" });
      if (request.ask === "stop") return asked.end({ over: false });
      if (request.ask !== "watch") return;
      const stop = { at: 1, type: "stop-requested" as const, by: "t", why: "", graceMs: 5000 };
      const events = isUnknown
        ? [stop, ...rest.filter((e) => !("host" in e && e.host === "gpu-b")), { at: 9, type: "timer" as const, key: "stop" as const }]
        : [stop, ...rest];
      for (const [k, event] of events.entries()) asked.item({ kind: "event", index: before.length + k, event });
    });
    const said = await nexadist(t, at, ["stop", "--timeout", "5s"], { NEXADIST_STATE_DIR: fake.stateDir });
    const stop = fake.asked.find((request) => request.ask === "stop");
    assert.equal(stop?.ask === "stop" && stop.graceMs, 5000);
    assert.equal(said.code, isUnknown ? 4 : 0, said.err);
    assert.match(said.out, isUnknown ? /gpu-b: left alive unknown/ : /gpu-b: 0 left alive/);
    if (isUnknown) assert.doesNotMatch(said.out, /gpu-b: 0 left/);
  }
});
