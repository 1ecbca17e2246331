/** The cause of an attempt from a journal, stored logs and hosts: those that answer, those that do not, and those that lie. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { fromJournal } from "../../../controller/daemon/attempt-evidence.ts";
import { type CauseSources, gatherCause } from "../../../controller/daemon/gather-cause.ts";
import { GLOO, traceback } from "../../cluster/cause/scenes.ts";
import { receipt, requested } from "../../cluster/run/model.ts";

const initial = replay([requested(2)]);
const state: RunState = {
  ...initial,
  phase: "recovering",
  attempt: 2,
  world: 4,
  members: ["a", "b"],
  hosts: Object.fromEntries(Object.entries(initial.hosts).map(([name, host]) => [name, { ...host, seen: true }])),
};

const start = (rank: number, host: string, attempt = 2): RunEvent => ({ at: 1, type: "rank-started", host, attempt, rank, pid: 100 + rank, start: 1 });
const end = (at: number, rank: number, host: string, code: number | null, signal: string | null = null, attempt = 2): RunEvent => ({
  at,
  type: "rank-exited",
  host,
  attempt,
  rank,
  code,
  signal,
  seenAt: at,
});
const stopping = (at: number, host: string): RunEvent => ({ at, type: "host-stopping", host, attempt: 2, why: "" });
const started = [start(0, "a"), start(1, "a"), start(2, "b"), start(3, "b")];

function logs(t: TestContext, texts: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "nxd-cause-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(join(dir, path, ".."), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

const sources = (t: TestContext, more: Partial<CauseSources>): CauseSources => ({
  state,
  events: started,
  logsDir: logs(t, {}),
  ask: async () => null,
  knock: async () => [],
  now: Date.now,
  conceal: (text) => text,
  ...more,
});

test("the first failure, though a victim on another host was heard of before it", async (t) => {
  const cause = await gatherCause(
    sources(t, {
      events: [
        end(5, 3, "b", 1, null, 1),
        ...started,
        end(10, 0, "a", 1),
        end(11, 2, "b", 1),
        stopping(12, "a"),
        stopping(12, "b"),
        end(20, 1, "a", null, "SIGTERM"),
        end(21, 3, "b", null, "SIGTERM"),
      ],
      logsDir: logs(t, {
        "a2/a/rank0.err": GLOO,
        "a2/b/rank2.err": traceback("ValueError: bad batch"),
        "a1/b/rank3.err": traceback("KeyError: 'of the attempt before'"),
        "a2/b/gaps.jsonl": "{}",
      }),
    }),
  );
  assert.equal(cause.text, "rank 2 on b raised ValueError: bad batch at train.py:88 in step(); 3 other ranks ended because of it");
  assert.deepEqual([cause.kind, cause.place, cause.exitCode, cause.isFinal], ["exception", "train.py:88 ValueError", 1, false]);
  assert.ok(cause.evidence.includes("b rank2.err: ValueError: bad batch"));
});

test("what hosts tell counts: clocks, error files, the kernel; each asked once", async (t) => {
  const asked: string[] = [];
  const at = 1_000_000;
  const told = {
    a: {
      now: at + 50_000,
      errors: [],
      kernel: [{ at: at + 50_000, text: "Out of memory: Killed process 101 (python3) total-vm:1kB, anon-rss:2097152kB" }],
      kernelWhy: null,
      oomKills: 1,
      sizes: {},
    },
    b: {
      now: at,
      errors: [{ rank: 3, message: "ValueError: x", callstack: "", at: 1 }],
      kernel: [],
      kernelWhy: "dmesg: not permitted",
      oomKills: null,
      sizes: {},
    },
  };
  const cause = await gatherCause(
    sources(t, {
      events: [...started, { ...end(at + 90, 1, "a", null, "SIGKILL"), seenAt: at + 50_010 } as RunEvent, end(at + 80, 3, "b", 1)],
      now: () => at,
      ask: async (host) => {
        asked.push(host);
        return told[host as "a" | "b"];
      },
    }),
  );
  assert.equal(cause.text, "rank 1 on a was killed by the kernel for want of memory (oom-kill, anon-rss 2 GiB); 3 other ranks ended because of it");
  assert.deepEqual(asked.sort(), ["a", "b"]);
});

test("hosts that fail, never answer or tell nonsense do not hold it up; those that are unseen are not asked", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const unseen: RunState = { ...state, members: ["a", "b", "c"], hosts: { ...state.hosts, b: { ...(state.hosts.b ?? assert.fail()), seen: false } } };
  const asked: string[] = [];
  const cause = gatherCause(
    sources(t, {
      state: unseen,
      events: [...started, end(10, 0, "a", 3)],
      ask: (host) => {
        asked.push(host);
        return host === "a" ? new Promise(() => undefined) : Promise.resolve({ now: "soon", errors: 7 });
      },
    }),
  );
  t.mock.timers.tick(3000);
  assert.equal((await cause).text, "rank 0 on a exited with code 3; 3 other ranks ended because of it");
  assert.deepEqual(asked, ["a", "c"]);
  const rejects = await gatherCause(sources(t, { ask: () => Promise.reject(new Error("gone")) }));
  assert.equal(rejects.kind, "unknown");
});

test("words that are still on their way are waited for", async (t) => {
  const dir = logs(t, { "a2/a/rank0.err": "step\n" });
  const whole = `step\n${traceback("ValueError: late")}`;
  let looked = 0;
  const cause = await gatherCause(
    sources(t, {
      events: [...started, end(10, 0, "a", 1)],
      logsDir: dir,
      ask: async (host) => {
        if (host === "b") return null;
        if (looked++ === 0) setTimeout(() => writeFileSync(join(dir, "a2/a/rank0.err"), whole), 60);
        return {
          now: 1,
          errors: [],
          kernel: [],
          kernelWhy: null,
          oomKills: null,
          sizes: { "a2/rank0.err": whole.length, "../../etc/passwd": 5, "a2/rank1.err": 0 },
        };
      },
    }),
  );
  assert.match(cause.text, /ValueError: late/);
});

test("no secret value leaves", async (t) => {
  const cause = await gatherCause(
    sources(t, {
      events: [...started, end(10, 0, "a", 1)],
      logsDir: logs(t, { "a2/a/rank0.err": traceback("ValueError: canary-s3cret is wrong") }),
      conceal: (text) => text.replaceAll("canary-s3cret", "$TOKEN"),
    }),
  );
  assert.match(cause.text, /ValueError: \$TOKEN is wrong/);
  assert.doesNotMatch(JSON.stringify(cause), /s3cret/);
});

test("only the end of a long log is read, and a hole of a gap is no text", async (t) => {
  const cause = await gatherCause(
    sources(t, {
      events: [...started, end(10, 0, "a", 1)],
      logsDir: logs(t, { "a2/a/rank0.err": `${traceback("KeyError: 'old'")}${"step\n".repeat(200_000)}${"\0".repeat(30_000)}${traceback("KeyError: 'new'")}` }),
    }),
  );
  assert.match(cause.text, /KeyError: 'new'/);
});

test("a journal in words: what ended after the stop was ours, a shim that went without a word is lost", () => {
  const ended = (at: number, host: string): RunEvent => ({ at, type: "host-ended", host, attempt: 2, receipt });
  const told = fromJournal(state, [
    ...started,
    { at: 4, type: "host-unseen", host: "b", why: "silent" },
    end(10, 0, "a", 1),
    stopping(11, "a"),
    end(12, 1, "a", null, "SIGTERM"),
    ended(13, "a"),
    { at: 20_000, type: "host-lost", host: "b", attempt: 2, why: "no answer" },
  ]);
  assert.deepEqual(
    told.exits.map(({ rank, pid, isStopped }) => ({ rank, pid, isStopped })),
    [
      { rank: 0, pid: 100, isStopped: false },
      { rank: 1, pid: 101, isStopped: true },
    ],
  );
  assert.deepEqual(told.troubles, [{ host: "b", kind: "lost", why: "no answer", since: 4 - 6000 }]);
  assert.deepEqual(
    fromJournal(state, [...started, ended(13, "b")]).troubles.map(({ kind, host }) => `${kind} ${host}`),
    ["shim-lost b"],
  );
});
