/** What holds for any evidence: a cause always, the same in any order of the input, never a victim where a primary failure is known. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Evidence, NO_EVIDENCE } from "../../../cluster/cause/evidence.ts";
import { rootCause } from "../../../cluster/cause/root-cause.ts";
import { EXAMPLES } from "../findings/examples.ts";
import { err, exit, GLOO, HOSTS, NCCL_REMOTE, scene, traceback, WATCHDOG } from "./scenes.ts";

const number = fc.oneof(fc.integer(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1, 0));
const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(GLOO, WATCHDOG, traceback("ValueError: x"), ...Object.values(EXAMPLES).flat()));
const host = fc.oneof(fc.constantFrom(...HOSTS), fc.string({ maxLength: 8 }));
const rank = fc.nat(9);
const code = fc.option(fc.constantFrom(0, 1, 2, 3, 126, 127, 137, 255));
const signal = fc.option(fc.constantFrom("SIGKILL", "SIGTERM", "SIGABRT", "SIGSEGV", "what"));
const list = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 9 });

const anyEvidence: fc.Arbitrary<Evidence> = fc.record({
  world: fc.nat(9),
  exits: list(fc.record({ rank, host, code, signal, seenAt: number, heardAt: number, pid: number, isStopped: fc.boolean() })),
  ranks: list(fc.record({ rank, host, pid: number })),
  launchers: list(fc.record({ host, code, signal, heardAt: number, isStopped: fc.boolean() })),
  troubles: list(fc.record({ host, kind: fc.constantFrom("lost" as const, "rebooted" as const, "shim-lost" as const), why: text, since: number })),
  errorFiles: list(fc.record({ host, rank, message: text, callstack: text, at: number })),
  tails: list(fc.record({ host, stream: fc.constantFrom("rank1.err", "rank1.out", "launcher.err"), rank: fc.option(rank), text })),
  kernel: list(fc.record({ host, at: fc.option(number), text })),
  ooms: list(fc.record({ host, kills: fc.nat(2) })),
  fullDisks: list(fc.record({ host, path: text })),
  ways: list(fc.record({ from: host, to: host, isBad: fc.boolean() })),
  clockOffsetMs: fc.dictionary(host, number),
  ended: fc.option(
    fc.record({ kind: fc.constantFrom("hang" as const, "start" as const), text, host: fc.option(host), rank: fc.option(rank), code: fc.constant(null) }),
  ),
  launcher: fc.string(),
});

test("any evidence gives a cause within its bounds", () => {
  fc.assert(
    fc.property(anyEvidence, (evidence) => {
      const cause = rootCause(evidence);
      assert.ok(cause.text.length > 0 && cause.text.length < 700);
      assert.ok(cause.evidence.length <= 12 && cause.evidence.every((line) => line.length <= 300));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
      assert.doesNotMatch([cause.text, cause.place ?? "", ...cause.evidence].join(""), /[\u0000-\u001f\u007f]/);
    }),
    { numRuns: 300 },
  );
  assert.equal(rootCause(NO_EVIDENCE).kind, "unknown");
});

const VICTIMS = [
  { code: 1, err: GLOO },
  { code: 1, err: NCCL_REMOTE },
  { signal: "SIGABRT", err: WATCHDOG },
  { signal: "SIGABRT", err: "" },
  { signal: "SIGTERM", err: "" },
  { signal: "SIGKILL", err: "", isStopped: true },
  { code: 1, err: traceback("torch.distributed.DistStoreError: wait timeout after 600000ms, keys: /default_pg/0//cuda//0") },
  {
    code: 1,
    err: traceback(
      "RuntimeError: [/pytorch/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1800000ms for recv operation to complete",
    ),
  },
] as const;
const PRIMARIES = [
  { code: 1, err: traceback("ValueError: bad batch") },
  { code: 1, err: traceback("torch.OutOfMemoryError: CUDA out of memory.") },
  { code: 3, err: "" },
  { signal: "SIGSEGV", err: "" },
  { signal: "SIGKILL", err: "" },
] as const;

const distinctRanks = fc.uniqueArray(fc.integer({ min: 0, max: 7 }), { minLength: 2, maxLength: 8 });

test("a victim is never named while a primary failure is known, whatever the clocks say", () => {
  const arbitrary = fc.tuple(
    distinctRanks,
    fc.constantFrom(...PRIMARIES),
    fc.array(fc.constantFrom(...VICTIMS), { minLength: 7, maxLength: 7 }),
    fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 }),
  );
  fc.assert(
    fc.property(arbitrary, ([ranks, primary, victims, times]) => {
      const ends = ranks.map((of, index) => ({ of, at: times[index] ?? 0, end: index === 0 ? primary : (victims[index - 1] ?? VICTIMS[0]) }));
      const cause = rootCause(scene({ exits: ends.map(({ of, at, end }) => exit(of, at, end)), tails: ends.map(({ of, end }) => err(of, end.err)) }));
      assert.equal(cause.rank, ranks[0]);
    }),
    { numRuns: 300 },
  );
});

test("the order of the input does not matter, only its times do", () => {
  const arbitrary = fc.tuple(
    distinctRanks,
    fc.array(fc.constantFrom(...PRIMARIES, ...VICTIMS), { minLength: 8, maxLength: 8 }),
    fc.array(fc.nat(5), { minLength: 8, maxLength: 8 }),
    fc.infiniteStream(fc.nat()),
  );
  fc.assert(
    fc.property(arbitrary, ([ranks, ends, times, shuffle]) => {
      const exits = ranks.map((of, index) => exit(of, times[index] ?? 0, ends[index] ?? PRIMARIES[0]));
      const tails = ranks.map((of, index) => err(of, ends[index]?.err ?? ""));
      const mixed = <T>(all: readonly T[]): T[] =>
        all
          .map((one) => ({ one, key: shuffle.next().value ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one);
      assert.deepEqual(rootCause(scene({ exits: mixed(exits), tails: mixed(tails) })), rootCause(scene({ exits, tails })));
    }),
    { numRuns: 300 },
  );
});
