/** What a person at a terminal sees and what keys do: live lines, Ctrl-C's question, the offer to attach, an interactive shell. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import { withoutColour } from "../../../cluster/sanitise.ts";
import { ENTRY, type Place, place } from "../../support/cli.ts";
import { type Asked, type FakeController, fakeController, lifeOf, ROW, SPEC } from "../../support/fake-controller.ts";
import { SSHD, startSshd } from "../../support/sshd.ts";
import { onTerminal, type Terminal } from "../../support/terminal.ts";

const CTRL_C = "\u0003";
const HOST = SPEC.hosts[0] ?? assert.fail();
const RUNNING = lifeOf(SPEC, "running");

function terminal(t: TestContext, at: Place, args: readonly string[], env: Record<string, string>): Terminal {
  const base = { PATH: process.env.PATH ?? "", HOME: at.home, LANG: "C.UTF-8", TZ: "UTC", TERM: "xterm-256color", NEXADIST_STATE_DIR: join(at.dir, "state") };
  return onTerminal(t, [process.execPath, ENTRY, ...args], { cwd: at.dir, env: { ...base, ...env } });
}

/** Brings a run up to running and lets it be stopped. */
async function runningController(t: TestContext): Promise<FakeController> {
  let watch: Asked | undefined;
  return fakeController(t, (asked) => {
    const { request } = asked;
    if (request.ask === "runs") asked.end([]);
    if (request.ask === "up") asked.end({ run: SPEC.run });
    if (request.ask === "watch") {
      watch = asked;
      for (const [index, event] of RUNNING.entries()) asked.item({ kind: "event", index, event });
      asked.item({ kind: "line", line: { host: "gpu-a", rank: 0, stream: "out", attempt: 1, at: 0, text: "\x1b[32mgreen\x1b[2J" } });
    }
    if (request.ask === "stop") {
      asked.end({ over: false });
      const events: RunEvent[] = [{ at: 1, type: "stop-requested", by: "t", why: "", graceMs: 0 }, ...lifeOf(SPEC, "succeeded").slice(RUNNING.length)];
      for (const [k, event] of events.entries()) watch?.item({ kind: "event", index: RUNNING.length + k, event });
      watch?.end(null);
    }
  });
}

function withFile(t: TestContext): Place {
  const at = place(t);
  at.write("cluster.yaml", "cluster:\n  - {host: gpu-a, gpus: 0, slots: 1}\n  - {host: gpu-b, gpus: 0, slots: 1}\n");
  return at;
}

test("up shows a live line for each host; its log lines keep colours and nothing else", async (t) => {
  const at = withFile(t);
  const fake = await fakeController(t, (asked) => {
    const { request } = asked;
    if (request.ask === "runs") asked.end([]);
    if (request.ask === "up") asked.end({ run: SPEC.run });
    if (request.ask !== "watch") return;
    asked.item({ kind: "event", index: 0, event: RUNNING[0] as RunEvent });
    asked.item({ kind: "notice", host: "gpu-b", text: "uploading node, 12 of 45 MB" });
    asked.item({ kind: "line", line: { host: "gpu-a", rank: 0, stream: "out", attempt: 1, at: 0, text: "\x1b[32mgreen\x1b[2J" } });
  });
  const screen = terminal(t, at, ["up", "--ui=plain"], { NEXADIST_STATE_DIR: fake.stateDir });
  await screen.shows(/ {2}gpu-a {2}connecting\r\n {2}gpu-b {2}connecting\r\n/);
  await screen.shows(/ {2}gpu-b {2}uploading node, 12 of 45 MB\r\n/);
  await screen.shows(/gpu-a r0 \| .\[32mgreen␛\[2J.\[0m\r\n/);
  screen.type(CTRL_C);
  await screen.shows(/leave\? \[d\] detach/);
  screen.type("d");
  assert.equal((await screen.done).code, 0);
});

test("64 hosts on 80 columns and 24 rows: only those that are not ready, folded", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", "cluster:\n  - {host: 'node[01-64]', gpus: 0, slots: 1}\n");
  const names = Array.from({ length: 64 }, (_, k) => `node${String(k + 1).padStart(2, "0")}`);
  const events = lifeOf({ ...SPEC, hosts: names.map((name) => ({ ...HOST, name, address: name })) }, "running");
  let watch: Asked | undefined;
  const fake = await fakeController(t, (asked) => {
    const { request } = asked;
    if (request.ask === "runs") asked.end([]);
    if (request.ask === "up") asked.end({ run: SPEC.run });
    if (request.ask !== "watch") return;
    watch = asked;
    asked.item({ kind: "event", index: 0, event: events[0] as RunEvent });
    asked.item({ kind: "notice", host: "node02", text: `uploading node, ${"very ".repeat(20)}slowly` });
  });
  const screen = terminal(t, at, ["up", "--ui=plain"], { NEXADIST_STATE_DIR: fake.stateDir, COLUMNS_WANTED: "80" });
  await screen.shows(
    / {2}node01 {2}connecting\r\n {2}node02 {2}uploading node, (very )+[a-z ]*…\r\n(?: {2}node\d\d {2}connecting\r\n){16} {2}… and 46 more\r\n/,
  );
  for (const [k, event] of events.slice(1, 61).entries()) watch?.item({ kind: "event", index: k + 1, event });
  await screen.shows(/ {2}node61 {2}connecting\r\n {2}node62 {2}connecting\r\n {2}node63 {2}connecting\r\n {2}node64 {2}connecting\r\n {2}60 ready\r\n/);
  screen.type(CTRL_C);
  await screen.shows(/leave\?/);
  screen.type("d");
  const end = await screen.done;
  assert.equal(end.code, 0);
  for (const [line] of end.screen.matchAll(/ {2}node\d\d[^\r\n]*/g)) assert.ok(line.length < 80, "a live line that wraps could not be taken away again");
});

for (const [keys, stops, words] of [
  [["d"], null, "detach"],
  [["\r"], null, "the default"],
  [[CTRL_C], null, "a second Ctrl-C"],
  [["s"], "grace", "stop"],
  [["k"], "now", "kill"],
] as const) {
  test(`Ctrl-C asks; ${words}: ${stops === null ? "the run is left alone" : `stopped (${stops})`}, the terminal is as before`, async (t) => {
    const at = withFile(t);
    const fake = await runningController(t);
    const screen = terminal(t, at, ["up", "--ui=plain"], { NEXADIST_STATE_DIR: fake.stateDir });
    await screen.shows(/==> running/);
    screen.type(CTRL_C);
    await screen.shows(/leave\?/);
    screen.type("x"); // means nothing
    for (const key of keys) screen.type(key);
    const { code, mode } = await screen.done;
    const asked = fake.asked.filter((request) => request.ask === "stop");
    assert.equal(code, stops === null ? 0 : 9);
    assert.deepEqual(
      asked.map((request) => request.ask === "stop" && request.graceMs),
      stops === null ? [] : [stops === "now" ? 0 : null],
    );
    assert.equal(mode, "cooked");
  });
}

test("a run of the same name is running: up offers to attach and starts nothing", async (t) => {
  const at = withFile(t);
  const fake = await fakeController(t, (asked) => {
    const { request } = asked;
    const row = { ...ROW, name: "cluster" };
    if (request.ask === "runs") asked.end([row]);
    if (request.ask === "run") asked.end({ state: replay(RUNNING), events: RUNNING.length, dir: "/d" });
  });
  const no = terminal(t, at, ["up", "--ui=plain"], { NEXADIST_STATE_DIR: fake.stateDir });
  await no.shows(/attach to it\?/);
  no.type("n");
  assert.equal((await no.done).code, 2);
  assert.ok(!fake.asked.some((request) => request.ask === "up" || request.ask === "watch"));
  const yes = terminal(t, at, ["up", "--ui=plain"], { NEXADIST_STATE_DIR: fake.stateDir });
  await yes.shows(/attach to it\?/);
  const watched = fake.next("watch");
  yes.type("y");
  const watch = await watched;
  assert.equal(watch.ask === "watch" && watch.from, RUNNING.length);
  assert.ok(!fake.asked.some((request) => request.ask === "up"));
  yes.type(CTRL_C);
  await yes.shows(/leave\?/);
  yes.type("d"); // or it would look for another controller when this one goes
  assert.equal((await yes.done).code, 0);
});

test("shell: a login shell on a pty there", { skip: SSHD === undefined ? "no sshd on this machine" : false }, async (t) => {
  const sshd = await startSshd();
  t.after(() => sshd.stop());
  const at = place(t);
  at.write("cluster.yaml", `cluster:\n  - {host: 127.0.0.1, port: ${sshd.port}}\n`);
  const screen = terminal(t, at, ["shell", "127.0.0.1"], { NEXADIST_SSH_CONFIG: sshd.config });
  await screen.shows(/[$#%>] /);
  screen.type("echo sum=$((40 + 2)); stty size; exit 3\n");
  await screen.shows(/sum=42\r+\n24 100\r+\n/);
  const { code, mode } = await screen.done;
  assert.deepEqual([code, mode], [3, "cooked"], "the shell's own exit status");
});

test("runs: a long failure is cut to the terminal", async (t) => {
  const at = withFile(t);
  const summary = { run: SPEC.run, name: "demo", phase: "failed", hosts: 2, ranks: 2, attempt: 1, requestedAt: 1, endedAt: 2, file: null, by: "t" };
  const fake = await fakeController(t, ({ end }) => end([{ ...summary, failure: `gpu-a: ${"x".repeat(300)}` }]));
  const { code, screen } = await terminal(t, at, ["runs"], { NEXADIST_STATE_DIR: fake.stateDir }).done;
  assert.equal(code, 0);
  const lines = withoutColour(screen).split(/\r?\n/);
  assert.ok(
    lines.every((line) => line.length <= 100),
    screen,
  );
  assert.match(screen, /gpu-a: x+…/);
});
