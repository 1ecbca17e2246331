/** Ten thousand frames from an authenticated peer gone mad: each is answered or closes the link, none throws, none runs or writes anything. */

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { WebSocket } from "ws";
import type { Agent } from "../../agent/agent-state.ts";
import { openBlobStore } from "../../agent/blob-store.ts";
import { openLink } from "../../agent/link.ts";
import { packFrame } from "../../cluster/frame.ts";
import { CLOSE } from "../../cluster/protocol.ts";

const authority = fc.record({ run: fc.constantFrom("r1", "../x", "__proto__", ""), epoch: fc.integer(), controller: fc.string({ maxLength: 5 }) });
const names = ["adopt", "record", "subscribe", "sync-offer", "sync-commit", "prepare", "arm", "launch", "stop", "forget", "exec", "exec-kill", "nothing"];
/** Near enough to commands to be refused by the schema at every depth, `adopt` and `exec` never quite right. */
const nearly = fc
  .tuple(
    fc.constantFrom(...names),
    authority,
    fc.dictionary(fc.constantFrom("attempt", "graceMs", "why", "hashes", "target", "data", "end", "record", "argv", "env"), fc.jsonValue()),
  )
  .map(([name, who, more]) => ({ ...who, ...more, do: name, ...(name === "exec" ? { argv: "touch" } : {}), ...(name === "adopt" ? { record: 1 } : {}) }));
const word = fc.string({ maxLength: 20 });
const words = fc.array(word, { maxLength: 3 });
const map = fc.dictionary(word, word, { maxKeys: 3 });
/** Of another run, so that nothing may begin. */
const strangeRecord = fc.record({
  run: fc.constant("other"),
  epoch: fc.nat(),
  controller: word,
  seq: fc.integer(),
  spec: fc.jsonValue(),
  state: fc.jsonValue(),
});
const entry = fc.record({ path: word, mode: fc.nat(), size: fc.nat(), sha256: word, link: word }, { requiredKeys: ["path", "mode", "size"] });
/** Right in form, so that they reach what is behind the schema. */
const formed = fc
  .tuple(
    fc.record({ run: fc.constantFrom("r1", "../x", "__proto__", ""), epoch: fc.nat(), controller: word }),
    fc.oneof(
      fc.record({ do: fc.constantFrom("adopt", "record"), record: strangeRecord }),
      fc.record({ do: fc.constant("subscribe"), eventsFrom: fc.nat(), cursors: fc.dictionary(word, fc.nat()) }),
      fc.record({ do: fc.constant("sync-offer"), hashes: words }),
      fc.record({ do: fc.constant("sync-commit"), entries: fc.array(entry, { maxLength: 3 }), tree: word, manifest: word }),
      fc.record({ do: fc.constant("stop"), attempt: fc.integer(), graceMs: fc.integer(), why: word }),
      fc.record({ do: fc.constant("forget") }),
      fc.record({
        do: fc.constant("launch"),
        record: strangeRecord,
        attempt: fc.integer(),
        spawns: fc.constant([]),
        unset: words,
        ranks: fc.integer(),
        stopGraceMs: fc.integer(),
      }),
      fc.record({ do: fc.constant("exec-kill"), target: fc.integer() }),
      fc.record({ do: fc.constant("exec"), argv: fc.constant([]), cwd: fc.constant(null), env: map }),
      fc.record({ do: fc.constant("status") }),
    ),
  )
  .map(([who, order]) => ({ ...who, ...order }));
const command = fc.oneof(nearly, { arbitrary: formed, weight: 3 }).map((order) => ({ type: "command", id: 1, command: order }));
const text = fc
  .oneof(command, fc.jsonValue(), fc.record({ type: fc.constantFrom("ack", "beat", "hello", "command"), run: fc.string(), cursors: fc.jsonValue() }))
  .map((value) => JSON.stringify(value));
const garbage = fc.oneof(fc.string(), fc.constant("[".repeat(100_000)), fc.constant('{"type":"ack","run":"r","__proto__":{"polluted":1}}'));
const blob = fc
  .tuple(fc.constantFrom("log", "gap", "exec", "blob"), fc.string(), fc.nat(), fc.uint8Array({ maxLength: 100 }))
  .map(([t, run, offset, data]) => packFrame({ t, run, stream: run, sha256: run, offset, size: offset, to: 1, why: "", id: 1, fd: 1 } as never, data));
const frame = fc.oneof(
  fc.oneof({ arbitrary: text, weight: 3 }, garbage).map((said) => ({ data: Buffer.from(said), isBinary: false })),
  fc.oneof(blob, fc.uint8Array({ maxLength: 200 })).map((bytes) => ({ data: Buffer.from(bytes), isBinary: true })),
);

test("no frame throws, runs or writes", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nxd-fuzz-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const config = {
    stateDir: dir,
    rootDir: dir,
    runtimeDir: dir,
    secretsDir: dir,
    key: "k",
    bootId: "b",
    tokenFile: "",
    socket: "",
    bundleDir: dir,
    bundle: "",
    python: "/no/python",
  };
  const bugs: string[] = [];
  const agent: Agent = {
    config,
    runs: new Map(),
    shims: new Map(),
    followed: new Map(),
    stopped: new Set(),
    setups: new Map(),
    heard: new Map(),
    log: (line) => void bugs.push(line),
  };
  const quit = (): void => assert.fail("no frame asked to quit");
  const context = {
    agent,
    blobs: openBlobStore(join(dir, "blobs")),
    queues: new Map(),
    countLinks: () => 1,
    leader: () => ({ isLinked: true, heardMs: 0 }),
    fenceOthers: () => undefined,
    quit,
    sampler: { spool: () => assert.fail("no run was there to sample for"), join: () => () => undefined, close: () => undefined },
  };
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(frame, async ({ data, isBinary }) => {
      const sent: { type: string; problem?: { code: string } }[] = [];
      const codes: number[] = [];
      const socket = Object.assign(new EventEmitter(), {
        OPEN: 1,
        readyState: 1,
        bufferedAmount: 0,
        send: (said: string) => sent.push(JSON.parse(said)),
        close: (code: number) => codes.push(code),
        terminate: () => undefined,
      });
      const link = openLink(context, socket as never as WebSocket, "c1");
      link.onMessage(data, isBinary);
      await new Promise((resolve) => setImmediate(resolve));
      link.onClose();
      assert.ok(codes.every((code) => code === CLOSE.malformed) && codes.length <= 1);
      answered += sent.length;
      for (const { type, problem } of sent) assert.ok(type === "reply" || (type === "refused" && problem?.code !== "BUG"), JSON.stringify(problem));
    }),
    { numRuns: 10_000 },
  );
  assert.ok(answered > 500, `only ${answered} got past the schema`);
  assert.deepEqual(bugs, []);
  assert.deepEqual(readdirSync(dir), []);
  assert.equal(agent.runs.size, 0);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});
