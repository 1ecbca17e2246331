/** The loop of one run against scripted hosts: what is done is on disk before it is done, once, again after a cut, and never after it is not wanted. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fail, NexaError } from "../../../cluster/errors.ts";
import type { Command } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import { type JournalLine, readLines } from "../../../controller/daemon/journal.ts";

import { forgetSecrets, keepSecrets } from "../../../controller/daemon/secrets.ts";
import { A, B, receipt, spec, stage } from "../../support/driver-stage.ts";

const has = (lines: readonly JournalLine[], type: RunEvent["type"], host?: string): boolean =>
  lines.some(({ event }) => event.type === type && (host === undefined || ("host" in event && event.host === host)));

test("a run that goes well: each host is told each thing once, and only with what leads to it on disk", async (t) => {
  const on = stage(t);
  await on.phase("running");
  for (const name of [A, B]) on.host(name).end({ code: 0, signal: null });
  await on.until("the end", on.isDone);
  assert.equal(on.driver.state().phase, "succeeded");
  for (const name of [A, B]) for (const what of ["prepare", "arm", "launch", "forget"] as const) assert.equal(on.count(what, name), 1, `${what} on ${name}`);
  for (const { command, onDisk } of on.done) {
    const needs: Partial<Record<Command["do"], RunEvent["type"]>> = {
      prepare: "host-connected",
      arm: "attempt-begun",
      launch: "host-armed",
      forget: "host-drained",
    };
    const needed = needs[command.do];
    if (needed !== undefined)
      for (const name of [A, B]) assert.ok(needed === "attempt-begun" ? has(onDisk, needed) : has(onDisk, needed, name), `${command.do} before ${needed}`);
    assert.ok(!("epoch" in command) || (command.epoch === 1 && command.controller === "c" && command.run === spec.run));
    if ("record" in command) assert.ok(command.record.seq <= onDisk.length);
  }
  assert.ok(!on.done.some(({ command }) => command.do === "stop"));
  const manifest = JSON.parse(readFileSync(join(on.dir, "manifest.json"), "utf8")) as { status: string };
  assert.equal(manifest.status, "succeeded");
  for (const name of [A, B]) assert.ok(!on.host(name).isHeard(), "nobody listens to it any more");
});

test("a host that is cut off in every step is asked again when it is back, and nothing fails by that", async (t) => {
  const cut = new Set<string>();
  const on = stage(t, (name, { do: what }) => {
    if (name !== A || !["prepare", "arm", "launch"].includes(what) || cut.has(what)) return undefined;
    cut.add(what);
    queueMicrotask(() => {
      on.host(A).lose();
      setTimeout(() => on.host(A).link(), 5);
    });
    return Promise.reject(fail("LINK_LOST", { host: A, why: "cut" }));
  });
  await on.phase("running");
  assert.deepEqual([on.count("prepare", A), on.count("arm", A), on.count("launch", A), on.count("launch", B)], [2, 2, 2, 1]);
  assert.ok(on.said.some((event) => event.type === "host-unseen"));
  assert.equal(on.driver.state().failure, null);
});

test("a stop that went out as the link went is told again over the next one; a shorter one too", async (t) => {
  let lost = false;
  const on = stage(t, (name, { do: what }) => {
    if (name !== A || what !== "stop" || lost) return undefined;
    lost = true;
    queueMicrotask(() => on.host(A).lose());
    return new Promise(() => undefined); // it never answers: nobody knows whether it arrived
  });
  await on.phase("running");
  const stop = (graceMs: number): RunEvent => ({ at: Date.now(), type: "stop-requested", by: "me", why: "x", graceMs });
  on.driver.apply(stop(60_000));
  await on.until("the link to go", () => lost && on.driver.state().hosts[A]?.seen === false);
  assert.equal(on.driver.state().phase, "stopping");
  on.driver.apply(stop(0));
  on.host(A).link();
  await on.until("the end", on.isDone);
  const asked = on.done.flatMap(({ host, command }) => (host === A && command.do === "stop" ? [command.graceMs] : []));
  assert.deepEqual(asked, [60_000, 0]);
  assert.equal(on.driver.state().phase, "stopped");
  for (const host of Object.values(on.driver.state().hosts)) assert.deepEqual(host.receipt, receipt);
});

test("stop wins while hosts are being prepared: nothing is armed or launched after it, whatever answers come late", async (t) => {
  const late: (() => void)[] = [];
  const on = stage(t, (_, { do: what }) =>
    what === "prepare"
      ? new Promise((resolve) => late.push(() => resolve({ dir: "/d", python: null, scratch: null, notes: [], scriptSha256: null, sessionNames: [] })))
      : undefined,
  );
  await on.until("both to be asked", () => late.length === 2);
  on.driver.apply({ at: Date.now(), type: "stop-requested", by: "me", why: "x", graceMs: 0 });
  for (const answer of late) answer();
  await on.until("the end", on.isDone);
  assert.equal(on.driver.state().phase, "stopped");
  assert.deepEqual([on.count("arm", A), on.count("launch", A), on.count("arm", B), on.count("launch", B)], [0, 0, 0, 0]);
});

test("a host that was stopped because another failed is not told of as failing; one that fails by itself is", async (t) => {
  for (const [error, isTold] of [
    [fail("NOT_PREPARED", { run: spec.run }), false],
    [fail("RUN_NOT_ADOPTED", { run: spec.run }), false],
    [fail("SETUP_FAILED", { line: 2, why: "false (exit 1)" }), true],
  ] as const) {
    let late: (() => void) | undefined;
    const on = stage(t, (name, { do: what }) => {
      if (what === "forget" && name === B) {
        late?.();
        return new Promise((resolve) => setImmediate(() => resolve({}))); // an agent does both in turn
      }
      if (what !== "prepare") return undefined;
      return name === A ? Promise.reject(fail("SETUP_FAILED", { line: 1, why: "false (exit 1)" })) : new Promise((_, reject) => (late = () => reject(error)));
    });
    await on.until("the end", on.isDone);
    assert.ok(late !== undefined);
    assert.deepEqual([on.driver.state().failure?.host, on.driver.state().hosts[B]?.problem?.code], [A, isTold ? error.code : undefined]);
    assert.equal(
      on.said.some((event) => event.type === "host-failed" && event.host === B),
      isTold,
      error.code,
    );
  }
});

test("a module under --no-sync: its file is compared where it is found; where it is on no host that is said once", async (t) => {
  const asked: RunSpec = { ...spec, job: { kind: "module", module: "pkg.train", args: [] }, code: { kind: "in-place", dir: "/d" } };
  const world = (hashes: Readonly<Record<string, string | null>>) =>
    stage(
      t,
      (name, { do: what }) =>
        what === "prepare" ? { dir: "/d", python: "/p", scratch: null, notes: ["n"], scriptSha256: hashes[name] ?? null, sessionNames: [] } : undefined,
      asked,
    );
  const notesOf = (on: ReturnType<typeof stage>): readonly string[] => [A, B].flatMap((name) => on.driver.state().hosts[name]?.notes ?? []);
  const nowhere = world({});
  await nowhere.phase("running");
  assert.deepEqual(notesOf(nowhere), ["n", "nothing is compared between hosts: pkg/train/__main__.py, pkg/train.py: none of them is in /d", "n"]);
  const sent = nowhere.done.flatMap(({ command }) => (command.do === "prepare" ? [[command.hashScript, command.hashOneOf]] : []));
  assert.deepEqual(
    sent,
    [0, 1].map(() => [null, ["pkg/train/__main__.py", "pkg/train.py"]]),
  );
  const same = world({ [A]: "aa", [B]: "aa" });
  await same.phase("running");
  assert.deepEqual(notesOf(same), ["n", "n"]);
  for (const hashes of [{ [A]: "aa", [B]: "bb" }, { [B]: "bb" }]) {
    const differing = world(hashes);
    await differing.until("the end", differing.isDone);
    assert.equal(differing.driver.state().failure?.problem?.code, "CODE_DIFFERS");
  }
});

test("a refusal is the run's failure, with the host's own words; what is no expected failure is a bug, exit 70", async (t) => {
  for (const [error, code, exit] of [
    [fail("PORT_BUSY", { text: "port 1 is taken" }), "PORT_BUSY", 5],
    [new TypeError("x is not a function"), "BUG", 70],
  ] as const) {
    const shown = t.mock.method(console, "error", () => undefined);
    const on = stage(t, (name, { do: what }) => (name === B && what === "arm" ? Promise.reject(error) : undefined));
    await on.until("the end", on.isDone);
    const { failure, phase } = on.driver.state();
    assert.deepEqual([phase, failure?.host, failure?.problem?.code, failure?.exit], ["failed", B, code, exit]);
    assert.equal(on.count("launch", A) + on.count("launch", B), 0);
    assert.equal(on.count("stop", A), 1, "what was armed is disarmed");
    assert.equal(shown.mock.callCount() > 0, !(error instanceof NexaError), "a bug is in the controller's log");
    shown.mock.restore();
  }
});

test("an event that the fold cannot take is left out, and the others of the same moment count", async (t) => {
  const shown = t.mock.method(console, "error", () => undefined);
  const on = stage(t);
  await on.phase("running");
  on.driver.apply({ at: Date.now(), type: "host-failed", host: A, during: "launch", problem: null } as unknown as RunEvent);
  on.driver.apply({ at: Date.now(), type: "host-unseen", host: A, why: "told all the same" });
  await on.until("the second", () => on.driver.state().hosts[A]?.unseenWhy === "told all the same");
  assert.equal(on.driver.state().phase, "running");
  assert.ok(!has(readLines(readFileSync(join(on.dir, "journal.jsonl"))).lines, "host-failed"));
  assert.ok(shown.mock.callCount() > 0);
});

test("one that was let go does nothing more: no event, no command", async (t) => {
  const on = stage(t);
  await on.phase("running");
  on.driver.dispose();
  const [asked, lines] = [on.done.length, on.said.length];
  on.driver.apply({ at: Date.now(), type: "stop-requested", by: "me", why: "x", graceMs: 0 });
  on.host(A).end({ code: 1, signal: null });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([on.done.length, on.said.length, on.driver.state().phase], [asked, lines, "running"]);
  assert.equal(on.isDone(), true);
});

test("no host's words bring a secret into the journal, also those of the host that fails after the run has ended", async (t) => {
  keepSecrets(spec.run, { "*": { TOKEN: "hunter2-value" } });
  t.after(() => forgetSecrets(spec.run));
  const later: (() => void)[] = [];
  const on = stage(t, (name, { do: what }) => {
    if (what !== "prepare") return undefined;
    const told = fail("SETUP_FAILED", { why: "it ended with 1", output: "+ echo hunter2-value" });
    return name === A ? Promise.reject(told) : new Promise((_, reject) => later.push(() => reject(told)));
  });
  await on.phase("failed");
  await on.until("the second host to be asked", () => later.length > 0);
  for (const say of later) say();
  await on.until("the end", on.isDone);
  const journal = readFileSync(join(on.dir, "journal.jsonl"), "utf8");
  assert.ok(!journal.includes("hunter2-value"), "a value is in the journal");
  assert.ok(journal.includes("$TOKEN"), "the words are there, with the name");
});
