/** The pure parts of the commands: which run, which ranks, which paths, what keys mean. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { NexaError } from "../../../cluster/errors.ts";
import type { RunSummary } from "../../../cluster/viewer.ts";
import { awaitedLines } from "../../../controller/cli/awaited.ts";
import { isBeneath, joinRemote, lastPart, parsePlace, remoteWord } from "../../../controller/cli/cp-paths.ts";
import { leaveOf } from "../../../controller/cli/leave.ts";
import { foldLines, type LiveLine } from "../../../controller/cli/live-hosts.ts";
import { queryOf } from "../../../controller/cli/logs.ts";
import { pickLive, pickRun } from "../../../controller/cli/pick-run.ts";
import { parseRanks } from "../../../controller/cli/rank-list.ts";
import { createScreen } from "../../../controller/cli/screen.ts";
import { sinceWhen } from "../../../controller/cli/since.ts";

const run = (id: string, more: Partial<RunSummary> = {}): RunSummary => ({
  run: id,
  name: "n",
  phase: "running",
  hosts: 1,
  ranks: 1,
  attempt: 1,
  requestedAt: 1,
  endedAt: null,
  file: null,
  by: "t",
  failure: null,
  ...more,
});
const withCode = (code: string) => (e: unknown) => e instanceof NexaError && e.code === code;

test("a run is found by id, name, unique beginning or latest; with -c among that file's", () => {
  const runs = [
    run("train_1", { requestedAt: 1, file: "/c.yaml" }),
    run("train_2", { requestedAt: 2, name: "big" }),
    run("train_22", { requestedAt: 3, name: "big" }),
  ];
  assert.equal(pickRun(runs, undefined, null).run, "train_22");
  assert.equal(pickRun(runs, "latest", "/c.yaml").run, "train_1");
  const waiting = {
    ...runs.find(({ run }) => run === "train_22"),
    run: "train_99",
    requestedAt: 9e12,
    endedAt: null,
    waitsFor: { a: "GPU 0: run train_22" },
  } as RunSummary;
  const atWork = { ...waiting, run: "train_98", requestedAt: 8e12, waitsFor: undefined } as unknown as RunSummary;
  assert.equal(pickRun([...runs, waiting, atWork], undefined, null).run, "train_98", "one that waits for GPUs has nothing to show");
  assert.equal(pickRun([waiting], undefined, null).run, "train_99");
  const ended = [
    run("train_1", { requestedAt: 1, file: "/c.yaml", endedAt: 2 }),
    run("train_2", { requestedAt: 2 }),
    run("train_3", { requestedAt: 3, endedAt: 4 }),
  ];
  assert.equal(pickRun(ended, undefined, null).run, "train_3", "the latest is the latest, ended or not, of whatever file");
  assert.equal(pickRun(ended, undefined, "/c.yaml").run, "train_1");
  assert.equal(pickRun(ended, "train_3", "/c.yaml").run, "train_3", "an id needs no file");
  assert.throws(() => pickRun(ended, undefined, "/other.yaml"), withCode("NO_RUN"));
  assert.equal(pickRun(runs, "train_2", null).run, "train_2");
  assert.equal(pickRun(runs, "big", null).run, "train_22");
  assert.equal(pickRun(runs, "train_22", null).run, "train_22");
  assert.throws(() => pickRun(runs, "train", null), withCode("USAGE"));
  assert.throws(() => pickRun(runs, "x", null), withCode("NO_RUN"));
  assert.throws(() => pickRun([], undefined, null), withCode("NO_RUN"));
});

test("a bare stop ends the one run that is alive, and asks which where there are several", () => {
  const live = [run("train_1", { requestedAt: 1, file: "/c.yaml" }), run("train_2", { requestedAt: 2 })];
  const over = run("train_3", { requestedAt: 3, endedAt: 4 });
  assert.equal(pickLive([...live.slice(0, 1), over], undefined, null, "stop").run, "train_1");
  assert.equal(pickLive([...live, over], undefined, "/c.yaml", "stop").run, "train_1");
  assert.equal(pickLive([...live, over], "train_2", null, "stop").run, "train_2");
  assert.equal(pickLive([over], undefined, null, "stop").run, "train_3");
  assert.throws(
    () => pickLive([...live, over], undefined, null, "stop"),
    (e: unknown) => withCode("USAGE")(e) && (e as NexaError).hint === "nexadist stop train_2\nnexadist stop train_1",
  );
});

test("lists of ranks", () => {
  assert.deepEqual(parseRanks("0,3-5,4"), [0, 3, 4, 5]);
  assert.equal(parseRanks("all"), null);
  for (const wrong of ["", "a", "5-3", "1-", "-1", "1-9999999", "0,"]) assert.equal(parseRanks(wrong), undefined, wrong);
  fc.assert(fc.property(fc.string(), (text) => void parseRanks(text)));
});

test("what logs asks for", () => {
  const { want } = queryOf({ host: ["gpu[1-2]"], stream: ["out,err"], since: "10m", attempt: "2", follow: true }, 1_000_000);
  assert.deepEqual(
    [want.hosts, want.streams, want.since, want.attempt, want.follow, want.last, want.ranks],
    [["gpu1", "gpu2"], ["out", "err"], 400_000, 2, true, null, null],
  );
  const matching = queryOf({ lines: "5", grep: "loss" }, 0);
  assert.deepEqual([matching.want.last, matching.last, matching.pattern?.source], [null, 5, "loss"], "the last that match are found here");
  assert.deepEqual([queryOf({ lines: "5" }, 0).want.last, queryOf({ lines: "5" }, 0).last], [5, null]);
  assert.deepEqual([queryOf({ lines: "500000" }, 0).want.last, queryOf({ lines: "500000" }, 0).last], [null, 500_000]);
  assert.throws(() => queryOf({ grep: "(" }, 0), withCode("USAGE"));
  assert.throws(() => queryOf({ stream: ["x"] }, 0), withCode("USAGE"));
  assert.throws(() => queryOf({ attempt: "-1" }, 0), withCode("USAGE"));
});

test("places of cp: a colon before any slash is a host's", () => {
  assert.deepEqual(parsePlace("gpu-a:data/x"), { host: "gpu-a", path: "data/x" });
  assert.deepEqual(parsePlace("./a:b"), { host: null, path: "./a:b" });
  assert.deepEqual(parsePlace("/a:b"), { host: null, path: "/a:b" });
  assert.deepEqual(parsePlace(":x"), { host: null, path: ":x" });
  assert.deepEqual(parsePlace("[::1]:x:y"), { host: "::1", path: "x:y" });
  assert.deepEqual(parsePlace("me@[fe80::1]:"), { host: "me@fe80::1", path: "" });
  assert.deepEqual(["a/b/", "/", ".", "~", "..", "x"].map(lastPart), ["b", "", "", "", "", "x"]);
  assert.deepEqual([joinRemote("", "f"), joinRemote("d/", "f"), joinRemote("d", "")], ["f", "d/f", "d"]);
});

test("a remote path reaches sh as it is, never as an option and never expanded", () => {
  const paths = fc.string({ unit: "binary", minLength: 1 }).filter((p) => !/[\0\ud800-\udfff]/.test(p) && !p.startsWith("~"));
  fc.assert(
    fc.property(paths, (path) => {
      const said = spawnSync("sh", ["-c", `printf '%s|' ${remoteWord(path)}`], { encoding: "utf8" }).stdout;
      assert.equal(said, `${path.startsWith("/") ? path : `./${path}`}|`);
      assert.ok(!said.startsWith("-"));
    }),
    { numRuns: 60 },
  );
  const home = spawnSync("sh", ["-c", `printf '%s|' ${remoteWord("~/a b")} ${remoteWord("")}`], {
    encoding: "utf8",
    env: { HOME: "/h", PATH: process.env.PATH },
  });
  assert.equal(home.stdout, "/h/a b|/h|");
});

test("names that a host tells stay beneath the target", () => {
  for (const wrong of ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a\0b", "a/.."]) assert.equal(isBeneath(wrong), false, wrong);
  for (const right of ["a", "a/b", "..a/b", "a b\n"]) assert.equal(isBeneath(right), true, right);
});

test("no key but k kills, no key but s stops; Ctrl-C leaves the run alone", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), (key) => {
      const leave = leaveOf(key);
      assert.equal(leave === "kill", key === "k" || key === "K");
      assert.equal(leave === "stop", key === "s" || key === "S");
    }),
  );
  assert.deepEqual(["\u0003", "\r", "d", "\u001b", "x"].map(leaveOf), ["detach", "detach", "detach", "back", null]);
});

const waiting = (text: string): LiveLine => ({ text, isReady: false });

test("lines of more hosts than rows fold to those that are waited for; all are counted", () => {
  const line = fc.record({ text: fc.string({ maxLength: 5 }).map((text) => `h${text.replace(/\D/g, "")}`), isReady: fc.boolean() });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 80 }), fc.integer({ min: 3, max: 30 }), (lines, rows) => {
      const folded = foldLines(lines, rows);
      if (lines.length <= rows)
        return assert.deepEqual(
          folded,
          lines.map((each) => each.text),
        );
      const shown = folded.slice(0, -1);
      assert.ok(shown.length <= rows);
      const left = lines.filter((each) => !each.isReady).map((each) => each.text);
      assert.deepEqual(shown, left.slice(0, rows));
      const counted = [...(folded.at(-1) ?? "").matchAll(/\d+/g)].reduce((sum, [n]) => sum + Number(n), 0);
      assert.equal(shown.length + counted, lines.length);
    }),
  );
});

test("live lines are redrawn below finished ones, and wait while a question stands there", () => {
  let text = "";
  const write = (piece: string): boolean => {
    text += piece;
    return true;
  };
  const stream = { isTTY: true, columns: 40, rows: 24, write };
  const screen = createScreen(stream, stream, true);
  screen.live([waiting("one"), waiting("two")]);
  screen.out("done");
  assert.equal(text, "one\ntwo\n\u001b[1A\u001b[1A\r\u001b[Jdone\none\ntwo\n");
  text = "";
  screen.hold(true);
  screen.out("later");
  assert.doesNotMatch(text, /later/);
  screen.hold(false);
  assert.match(text, /later\none\ntwo\n$/);
  screen.live(Array.from({ length: 50 }, (_, k) => waiting(`host ${k}`)));
  assert.match(text, /host 17\n {2}… and 32 more\n$/);
  const file = { write: stream.write };
  text = "";
  createScreen(file, file, true).live([waiting("x")]);
  assert.equal(text, "");
});

test("since: a length, a time of day that has been, a date", () => {
  const now = new Date(2026, 10, 24, 10, 0, 0).getTime();
  assert.equal(sinceWhen("10m", now), now - 600_000);
  assert.equal(sinceWhen("90", now), now - 90_000);
  assert.equal(sinceWhen("09:30", now), new Date(2026, 10, 24, 9, 30).getTime());
  assert.equal(sinceWhen("23:59:58", now), new Date(2026, 10, 23, 23, 59, 58).getTime());
  assert.equal(sinceWhen("2026-11-24T09:00", now), new Date(2026, 10, 24, 9).getTime());
  for (const wrong of ["", "24:00", "soon", "09:60", "-1"]) assert.equal(sinceWhen(wrong, now), null, wrong);
});

test("who is awaited: a line for each kind of wait, hosts counted where they are many", () => {
  const many = Array.from({ length: 8 }, (_, k) => [`gpu-${k}`, "no SSH connection yet"] as const);
  assert.deepEqual(awaitedLines(many), ["waiting for gpu-0, gpu-1, gpu-2, gpu-3, gpu-4, gpu-5 and 2 more: no SSH connection yet; Ctrl-C leaves"]);
  assert.deepEqual(awaitedLines([]), []);
});
