/** How runs are told: log lines, receipts, exit statuses; text from hosts stays inert, unknown is never 0. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { REPLACED } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import { isOver } from "../../../cluster/run/state.ts";
import { formatTorch } from "../../../cluster/torch.ts";
import { aboutHost } from "../../../cluster/view/about-host.ts";
import { formatBytes } from "../../../cluster/view/bytes.ts";
import { formatDuration } from "../../../cluster/view/duration.ts";
import { describeEvent } from "../../../cluster/view/event-line.ts";
import { formatGap } from "../../../cluster/view/gap.ts";
import { formatLogLine } from "../../../cluster/view/log-line.ts";
import { formatReceipt, isAllGone, receiptLines } from "../../../cluster/view/receipt.ts";
import { runTable } from "../../../cluster/view/run-table.ts";
import { statusLines } from "../../../cluster/view/status.ts";
import { summarise } from "../../../cluster/view/summarise.ts";
import { exitOf, summaryLines } from "../../../cluster/view/summary.ts";
import { fitTo, formatTable, widthOf } from "../../../cluster/view/table.ts";
import { lifeOf, SPEC } from "../../support/fake-controller.ts";

const RECEIPT = { signalled: 2, exited: 1, killed: 1, left: 0, leftPids: [], proof: ["subreaper", "pids"] as const, gpuMemoryMiB: null };

test("log lines", () => {
  const line = { host: "gpu-a", rank: 3, stream: "out" as const, attempt: 1, at: 0, text: "\x1b[31mred\x1b]0;x\x07" };
  const clock = (): string => "14:02:11";
  assert.equal(formatLogLine(line, clock, false), "14:02:11 gpu-a r3 | red␛]0;x␇");
  assert.equal(formatLogLine(line, clock, true), "14:02:11 gpu-a r3 | \x1b[31mred␛]0;x␇\x1b[0m");
  assert.equal(formatLogLine({ ...line, rank: null, stream: "launcher", text: "a\rb" }, clock, true), "14:02:11 gpu-a launcher | b");
  assert.equal(formatLogLine({ ...line, text: "a\rb\r" }, clock, false, true), "14:02:11 gpu-a r3 | a␍b", "a pipe is told all of it");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (host) => !formatLogLine({ ...line, host }, clock, false).includes("\n")));
});

test("receipts say 0 only when it is known", () => {
  assert.equal(formatReceipt("a", RECEIPT, false), "a: 0 left alive (signalled 2, exited 1, killed 1; proof: subreaper + pids)");
  assert.match(formatReceipt("a", { ...RECEIPT, killedLaunchers: 1 }, false), /exited 1, killed 1: the launcher, which a stop always ends so, last; proof/);
  assert.match(formatReceipt("a", { ...RECEIPT, killed: 3, killedLaunchers: 1 }, false), /killed 3: 2 that SIGTERM did not end and the launcher, which/);
  assert.doesNotMatch(formatReceipt("a", { ...RECEIPT, killed: 0, killedLaunchers: 0 }, false), /launcher|SIGTERM/);
  for (const receipt of ["unknown" as const, { ...RECEIPT, left: null }]) {
    assert.match(formatReceipt("a", receipt, true), /left alive unknown/);
    assert.doesNotMatch(formatReceipt("a", receipt, true), /\b0 left/);
  }
  const stuck = formatReceipt("a", { ...RECEIPT, left: 1, leftPids: [{ pid: 7, start: 1, comm: "py\x1b[2J", why: "D state" }], gpuMemoryMiB: 512 }, false);
  assert.match(stuck, /1 left alive: pid 7 py␛\[2J \(D state\)/);
  assert.match(stuck, /; GPU memory 512 MiB still held\)$/);
});

test("GPU memory is told where ranks had GPUs, unknown with its reason, and nowhere else", () => {
  const told = (over: object, usesGpus = true): string => formatReceipt("a", { ...RECEIPT, ...over }, usesGpus);
  assert.match(told({ gpuMemoryMiB: 0 }), /; GPU memory 0 MiB\)$/);
  assert.match(told({ gpuMemoryWhy: "pids\n\x1b of another" }), /; GPU memory unknown: pids ␛ of another\)$/);
  assert.match(told({}), /; GPU memory unknown\)$/);
  for (const over of [{ gpuMemoryMiB: 0 }, { gpuMemoryWhy: "no nvidia-smi" }, {}]) assert.doesNotMatch(told(over, false), /GPU/);
  const onGpus = { ...SPEC, hosts: SPEC.hosts.map((host, k) => (k === 0 ? { ...host, gpus: { kind: "auto" as const } } : host)) };
  const [a, b] = receiptLines(replay(lifeOf(onGpus, "succeeded")));
  assert.match(a ?? "", /^gpu-a: .*GPU memory unknown/);
  assert.doesNotMatch(b ?? "", /GPU memory/);
});

test("exit statuses follow the end; a stop that one host cannot confirm is 4", () => {
  assert.equal(exitOf(replay(lifeOf(SPEC, "succeeded"))), 0);
  assert.equal(exitOf(replay(lifeOf(SPEC, "failed"))), 1);
  const running = replay(lifeOf(SPEC, "running"));
  assert.deepEqual([exitOf(running, true), exitOf(running), exitOf(null)], [0, 7, 7], "only who left it may call a run that goes on a success");
  for (const left of [2, null]) {
    const held = lifeOf(SPEC, "succeeded").map((e) => (e.type === "host-ended" ? { ...e, receipt: { ...RECEIPT, left } } : e));
    assert.deepEqual([replay(held).phase, exitOf(replay(held))], ["succeeded", 4], `left ${left}`);
  }
  const stop: RunEvent = { at: 1, type: "stop-requested", by: "t", why: "", graceMs: 0 };
  const rest = lifeOf(SPEC, "succeeded").slice(lifeOf(SPEC, "running").length);
  const stopped = replay([...lifeOf(SPEC, "running"), stop, ...rest]);
  assert.deepEqual([stopped.phase, exitOf(stopped), isAllGone(stopped)], ["stopped", 9, true]);
  const silent = replay([...lifeOf(SPEC, "running"), stop, ...rest.filter((e) => !("host" in e && e.host === "gpu-b")), { at: 2, type: "timer", key: "stop" }]);
  assert.deepEqual([silent.phase, exitOf(silent), isAllGone(silent)], ["stopped", 4, false]);
  const unsure = replay([...lifeOf(SPEC, "running"), stop, ...rest.map((e) => (e.type === "host-ended" ? { ...e, receipt: { ...RECEIPT, left: null } } : e))]);
  assert.equal(exitOf(unsure), 4);
  assert.match(summaryLines(unsure).join("\n"), /left alive unknown/);
});

test("events in words are one line each and inert", () => {
  const state = replay(lifeOf(SPEC, "running"));
  const event: RunEvent = { at: 1, type: "host-unseen", host: "gpu-a", why: "gone\n\x1b[2J" };
  assert.deepEqual(describeEvent(state, reduce(state, event), event), ["gpu-a: no word from its agent (gone ␛[2J); the other hosts are asked about it"]);
  const replaced: RunEvent = { at: 1, type: "host-unseen", host: "gpu-a", why: REPLACED };
  assert.deepEqual(describeEvent(state, reduce(state, replaced), replaced), ["gpu-a: its agent is being replaced; training goes on"]);
  const failed = replay(lifeOf(SPEC, "failed"));
  assert.match(summaryLines(failed).join("\n"), /failed after .*: rank 0 on gpu-a exited with code 3/);
  assert.match(summaryLines(failed, ["", "Error: x"]).join("\n"), /last lines of rank 0:\n +\n +Error: x/);
  for (const words of [[], [""], ["", "  "]]) assert.doesNotMatch(summaryLines(failed, words).join("\n"), /last lines/);
  assert.equal(aboutHost("a", "a: refused"), "a: refused");
  assert.equal(aboutHost("a", "refused"), "a: refused");
  assert.equal(aboutHost("a", "a: a has no python"), "a: has no python");
  assert.equal(aboutHost("a", "an answer"), "a: an answer");
});

test("status: ages are of now; a run that is over says what is owed, never what was going on", () => {
  const row = (events: readonly RunEvent[], now: number): string => statusLines(replay(events), now).find((line) => line.startsWith("gpu-b")) ?? "";
  const running = lifeOf(SPEC, "running");
  const at = running.at(-1)?.at ?? 0;
  const unseen: RunEvent = { at, type: "host-unseen", host: "gpu-b", why: "nothing heard for 12 s" };
  const cut = [...running, unseen];
  assert.match(row(cut, at + 5000), /launched +unseen for 5\.0 s +\S+ +1 rank started$/);
  assert.ok(statusLines(replay(cut), at + 5000).includes("  gpu-b: nothing heard"), "a reason has a line of its own");
  assert.match(row(cut, at + 600_000), /unseen for 10 min 0 s/);
  const later: RunEvent = { at: at + 20_000, type: "host-unseen", host: "gpu-b", why: "connection refused" };
  assert.match(row([...cut, later], at + 30_000), /unseen for 30 s /);
  const lost: RunEvent = { at: at + 20_000, type: "host-lost", host: "gpu-b", attempt: 1, why: "no word from it, and nobody reaches it" };
  const gone = replay([...cut, lost]);
  assert.ok(!isOver(gone));
  assert.match(row([...cut, lost], at + 30_000), /^gpu-b +lost /);
  const lines = statusLines(gone, at + 30_000);
  assert.ok(lines.includes("  gpu-b: no word from it, and nobody reaches it"));
  assert.ok(
    lines.filter((line) => /^(HOST|gpu-)/.test(line)).every((line) => line.length <= 80),
    lines.join("\n"),
  );

  const quiet = (wroteAt: number | null): string | undefined => statusLines(replay(running), at + 50_000, { wroteAt }).find((line) => /last wrote/.test(line));
  assert.equal(quiet(at), "ranks last wrote 50 s ago");
  for (const wroteAt of [null, at + 41_000]) assert.equal(quiet(wroteAt), undefined);
  const notes = ["5 steps are done again"];
  assert.ok(statusLines(replay(running), at, { notes }).includes("5 steps are done again"));
  assert.ok(!statusLines(replay(lifeOf(SPEC, "succeeded")), at, { notes }).includes("5 steps are done again"));

  const stop: RunEvent = { at, type: "stop-requested", by: "t", why: "", graceMs: 0 };
  const rest = lifeOf(SPEC, "succeeded").slice(running.length);
  const owing = [...cut, stop, ...rest.filter((e) => !("host" in e && e.host === "gpu-b")), { at, type: "timer", key: "stop" } as const];
  assert.match(row(owing, at + 5000), /^gpu-b +owing .* owes a stop: could not be asked \(nothing heard\)$/);
  assert.match(summaryLines(replay(owing)).join("\n"), /^==> \S+ stopped after .*, owing: gpu-b could not be asked$/m);
  const table = runTable([summarise(replay(owing)), summarise(replay(lifeOf(SPEC, "succeeded")))], at);
  assert.match(table[1] ?? "", / stopped, owes .*owing: gpu-b could not be asked$/);
  assert.doesNotMatch(table[2] ?? "", /ow(es|ing)/);
  for (const now of [at, at + 86_400_000]) assert.doesNotMatch(statusLines(replay(owing), now).join("\n"), /12 s|1 rank started|unseen/);
  assert.match(row(lifeOf(SPEC, "succeeded"), at), / ended$/);
  const early: RunEvent[] = [...running.slice(0, 3), stop];
  assert.equal(replay(early).phase, "stopped", "nothing had been started");
  assert.match(row(early, at), / nothing was started$/);
});

test("a host that refuses our credentials needs-auth: no word of silence, nor that it is lost", () => {
  const at = lifeOf(SPEC, "running").at(-1)?.at ?? 0;
  const why = "gpu-b: authentication failed for tester";
  const says =
    "needs-auth: it refuses our credentials: log in anew, and it is heard again by itself; its ranks are not touched (authentication failed for tester)";
  const refused: RunEvent = { at, type: "host-unseen", host: "gpu-b", why, kind: "auth" };
  const before = replay(lifeOf(SPEC, "running"));
  const state = reduce(before, refused);
  assert.deepEqual(describeEvent(before, state, refused), [`gpu-b: ${says}`]);
  const lines = statusLines(state, at + 21_000);
  assert.match(lines.find((line) => line.startsWith("gpu-b")) ?? "", /^gpu-b +launched +needs-auth +/);
  assert.ok(lines.includes(`  gpu-b: ${says}`), lines.join("\n"));
  assert.match(runTable([summarise(state)], at)[1] ?? "", / running, needs-auth .* gpu-b: log in anew$/);
  const seen = reduce(state, { at, type: "host-seen", host: "gpu-b" });
  for (const other of [seen, replay([...lifeOf(SPEC, "succeeded"), refused])])
    assert.doesNotMatch([...statusLines(other, at), ...runTable([summarise(other)], at)].join("\n"), /needs-auth|unseen|log in/);
});

test("a run that another controller leads is told as last known, and its clock stands still", () => {
  const at = lifeOf(SPEC, "running").at(-1)?.at ?? 0;
  const fenced: RunEvent = { at: at + 60_000, type: "fenced", controller: "c2", machine: "gpu-c", epoch: 2 };
  for (const now of [at + 61_000, at + 86_400_000]) {
    const state = replay([...lifeOf(SPEC, "running"), fenced]);
    assert.match(runTable([summarise(state)], now)[1] ?? "", / led by gpu-c .* 1 min 0 s +last known: running at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    const lines = statusLines(state, now);
    assert.match(lines[0] ?? "", / last known: running .* 1 min 0 s$/);
    assert.match(lines[2] ?? "", /^ +nexadist takeover \S+ -c FILE --force takes it back$/);
    const seated = replay([...lifeOf({ ...SPEC, seat: "gpu-b", file: "/home/me/c.yaml" }, "running"), fenced]);
    assert.match(statusLines(seated, now)[2] ?? "", /^ +nexadist attach \S+ asks its seat, gpu-b; only if .* takeover \S+ -c \/home\/me\/c\.yaml --force$/);
  }
});

test("a lost host is told of once when its ranks went elsewhere; restart.max 0 is said where it ends a run", () => {
  const at = 1;
  const lost: RunEvent = { at, type: "host-lost", host: "gpu-b", attempt: 1, why: "nobody reaches it" };
  const unseen: RunEvent = { at, type: "host-unseen", host: "gpu-b", why: "no route" };
  const state = reduce(reduce(replay(lifeOf(SPEC, "running")), { ...unseen, why: "silence" }), lost);
  assert.deepEqual(describeEvent(state, reduce(state, unseen), unseen), ["gpu-b: is lost; still no word from its agent (no route)"]);
  const elsewhere = { ...state, members: ["gpu-a"] };
  assert.deepEqual(describeEvent(elsewhere, reduce(elsewhere, unseen), unseen), []);
  for (const [max, says] of [
    [0, true],
    [3, false],
  ] as const) {
    const life = lifeOf({ ...SPEC, restart: { ...SPEC.restart, max } }, "failed");
    const last = life.at(-1) ?? assert.fail();
    const said = describeEvent(replay(life.slice(0, -1)), replay(life), last).join("\n");
    assert.equal(said.includes("restart.max is 0: no other attempt"), says, said);
  }
});

test("an error of several lines keeps them, inert, and is one line where there is only one", () => {
  const problem = { code: "SETUP_FAILED", message: "setup failed at line 2: false (exit 1)\nlast output:\none\n\x1b[2Jtwo", hint: "h", exit: 5 } as const;
  const events: RunEvent[] = [...lifeOf(SPEC, "running").slice(0, 4), { at: 5, type: "host-failed", host: "gpu-b", during: "prepare", problem }];
  const state = replay(events);
  const said = describeEvent(replay(events.slice(0, -1)), state, events.at(-1) ?? assert.fail());
  const rest = ["    last output:", "    one", "    ␛[2Jtwo"];
  assert.deepEqual(said.slice(0, 4), ["gpu-b: could not be prepared: setup failed at line 2: false (exit 1)", ...rest]);
  const lines = statusLines(state, 10);
  const at = lines.findIndex((line) => line.startsWith("failure: "));
  assert.deepEqual(lines.slice(at, at + 4), ["failure: gpu-b: setup failed at line 2: false (exit 1)", ...rest]);
  assert.match(lines.find((line) => line.startsWith("gpu-b")) ?? "", /setup failed at line 2: false \(exit 1\)$/);
});

test("what a host tells of an attempt that is over, or tells again, is no news", () => {
  const state = replay(lifeOf(SPEC, "running"));
  const exit = (attempt: number): RunEvent => ({ at: 1, type: "rank-exited", host: "gpu-a", attempt, rank: 0, code: 1, signal: null, seenAt: 1 });
  const dead = reduce(state, exit(1));
  assert.equal(describeEvent(state, dead, exit(1))[0], "gpu-a r0: exited with code 1");
  assert.deepEqual(describeEvent(dead, reduce(dead, exit(1)), exit(1)), []);
  assert.deepEqual(describeEvent(state, reduce(state, exit(7)), exit(7)), []);
  const ended: RunEvent = { at: 1, type: "host-ended", host: "gpu-a", attempt: 7, receipt: RECEIPT };
  assert.deepEqual(describeEvent(state, reduce(state, ended), ended), ["gpu-a: what was left there of attempt 7 has ended"]);
});

test("a torch that cannot use GPUs says so", () => {
  assert.deepEqual(["2.13.0+cpu", "2.13.0+cu130", "2.9.1", null, undefined].map(formatTorch), [
    "2.13.0+cpu (CPU only)",
    "2.13.0+cu130",
    "2.9.1",
    "none",
    "none",
  ]);
});

test("tables and widths", () => {
  assert.deepEqual(
    formatTable([
      ["A", "B"],
      ["損失", "x"],
      ["y", ""],
    ]),
    ["A     B", "損失  x", "y"],
  );
  assert.equal(fitTo("abcdef", 4), "abc…");
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 30 }), (text, columns) => widthOf(fitTo(text, columns)) <= columns));
  assert.deepEqual([1234, 61_000, 3_700_000, 200_000_000].map(formatDuration), ["1.2 s", "1 min 1 s", "1 h 1 min", "2 d 7 h"]);
});

test("a gap is said in one inert line, with its size", () => {
  assert.equal(formatGap({ from: 0, to: 12_345_678, why: "quota" }), "── gap: 12.3 MB not kept (quota) ──");
  assert.equal(formatGap({ from: 0, to: 1, why: "a\n\x1b[2J" }), "── gap: 1 B not kept (a ␛[2J) ──");
  assert.deepEqual([0, 999, 1000, 999_960, 5e9, 7e13].map(formatBytes), ["0 B", "999 B", "1.0 kB", "1.0 MB", "5.0 GB", "70.0 TB"]);
});
