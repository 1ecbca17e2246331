/** What one host's agent says, believed no further than it should be: hostile, doubled, torn off and told again, each thing counts once. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { BinaryHeader } from "../../../cluster/frame.ts";
import type { AgentEvent } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import type { JournalLine } from "../../../controller/daemon/journal.ts";
import { translate } from "../../../controller/daemon/translate.ts";
import { agentEvent } from "../../cluster/agent-events.ts";
import { inDir, OWN, RUN, rig } from "./intake-rig.ts";

const RUNS = { numRuns: Number(process.env.FC_RUNS ?? 300) };
const cursorsOf = (journal: readonly JournalLine[]): number[] => journal.flatMap(({ cursor }) => (cursor === undefined ? [] : [cursor.index]));
const grows = (list: readonly number[]): boolean => list.every((value, k) => k === 0 || value > (list[k - 1] ?? value));

const LOCAL: ReadonlySet<RunEvent["type"]> = new Set(["host-connected", "host-refused", "host-unseen", "host-seen", "host-drained"]);

type Deed =
  | { readonly do: "event"; readonly shift: number; readonly told: AgentEvent }
  | { readonly do: "raw"; readonly value: unknown }
  | { readonly do: "other-run"; readonly value: unknown }
  | { readonly do: "frame"; readonly header: BinaryHeader; readonly data: Uint8Array }
  | { readonly do: "drop" }
  | { readonly do: "link"; readonly refuses: boolean };

const stream = fc.oneof(
  fc.constantFrom(
    "a1/rank2.out",
    "a1/rank3.err",
    "a1/launcher.out",
    "a1/rank0.out",
    "a1/rank99999.out",
    "../x",
    "a1/../../x.out",
    "a0/rank2.out",
    "a2/rank2.out",
    "a1/rank2.out\0",
  ),
  fc.string(),
);
const offset = fc.oneof(fc.nat(30), fc.constantFrom(-1, 2 ** 40, 2 ** 53, Number.MAX_SAFE_INTEGER));
const header: fc.Arbitrary<BinaryHeader> = fc.oneof(
  fc.record({ t: fc.constant("log" as const), run: fc.constantFrom(RUN, "another"), stream, offset }),
  fc.record({ t: fc.constant("gap" as const), run: fc.constantFrom(RUN, "another"), stream, offset, to: offset, why: fc.string() }),
  fc.record({ t: fc.constant("blob" as const), run: fc.constant(RUN), sha256: fc.string(), offset, size: offset }),
);
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("event" as const), shift: fc.constantFrom(0, 0, 0, 0, -1, -3, 1, 7), told: agentEvent() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("raw" as const), value: fc.oneof(fc.jsonValue(), agentEvent()) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("other-run" as const), value: agentEvent() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("frame" as const), header, data: fc.uint8Array({ maxLength: 20 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "drop" } as const) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("link" as const), refuses: fc.boolean() }) },
);

test("never, whatever a host says: a throw, an event of another host or rank, an event twice, a byte outside its own directory", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 40, size: "max" }), async (deeds) => {
      await inDir(async (dir) => {
        const on = rig(join(dir, "logs"));
        let told = 0; // what an agent has told so far: the next index
        await on.link({ events: 0 });
        for (const one of deeds) {
          if (one.do === "event") {
            const index = Math.max(0, told + one.shift);
            on.heard().event(RUN, { ...one.told, index });
            if (index === told) told += 1;
          } else if (one.do === "raw") {
            on.heard().event(RUN, one.value);
            if (typeof one.value === "object" && one.value !== null && "index" in one.value && one.value.index === told) told += 1;
          } else if (one.do === "other-run") on.heard().event("another", one.value);
          else if (one.do === "frame") on.heard().frame(one.header, one.data);
          else if (one.do === "drop") on.drop();
          else await on.link({ events: told, refuses: one.refuses });
        }
        on.close();
        assert.ok(grows(cursorsOf(on.journal)), `${cursorsOf(on.journal)}`);
        for (const { event, cursor } of on.journal) {
          assert.equal("host" in event && event.host, "h");
          assert.ok(cursor !== undefined || LOCAL.has(event.type), event.type);
          if ("rank" in event) assert.ok(OWN.includes(event.rank as number), `rank ${event.rank}`);
        }
        assert.deepEqual(readdirSync(dir), existsSync(join(dir, "logs")) ? ["logs"] : []);
        for (const attempt of existsSync(join(dir, "logs")) ? readdirSync(join(dir, "logs")) : []) {
          assert.deepEqual([attempt, ...readdirSync(join(dir, "logs", attempt))], ["a1", "h"]);
          for (const file of readdirSync(join(dir, "logs", attempt, "h")))
            assert.match(file, /^(rank[23]\.(out|err|nccl)(\.at)?|launcher\.(out|err)(\.at)?|gaps\.jsonl)$/);
        }
      });
    }),
    RUNS,
  );
});

/** A legal life of one host's agent: no event that its ranks are not in. */
const life: fc.Arbitrary<AgentEvent[]> = fc
  .array(agentEvent(fc.constant(1)), { minLength: 1, maxLength: 25, size: "max" })
  .map((all) =>
    all.map(
      ({ event, ...rest }, index) =>
        ({ ...rest, index, event: "rank" in event && event.rank !== null ? { ...event, rank: OWN[index % 2] } : event }) as AgentEvent,
    ),
  );

test("always: links cut anywhere and controllers started anew lose no event of an honest agent and count none twice", async () => {
  const cuts = fc.array(fc.record({ sent: fc.nat(12), restarts: fc.boolean() }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(life, cuts, async (events, parts) => {
      await inDir(async (dir) => {
        const journal: JournalLine[] = [];
        let on = rig(dir, journal);
        for (const { sent, restarts } of [...parts, { sent: events.length, restarts: false }]) {
          await on.link({ events: events.length });
          const from = on.subscribed.at(-1)?.eventsFrom ?? 0;
          for (const told of events.slice(from, from + sent)) on.heard().event(RUN, told);
          if (!restarts) continue;
          on.close();
          on = rig(dir, journal);
        }
        on.close();
        const wanted = events.flatMap((told) => (translate("h", told, 0) === null ? [] : [told.index]));
        assert.deepEqual(cursorsOf(journal), wanted);
        for (const { events: acked } of on.acks) assert.ok(acked === undefined || acked <= events.length);
      });
    }),
    RUNS,
  );
});

test("always: log bytes told over links that are cut and controllers that restart are on disk once, and viewers get each once in a controller's life", async () => {
  const parts = fc.array(fc.record({ from: fc.nat(60), length: fc.integer({ min: 1, max: 90 }), next: fc.constantFrom("on", "cut", "restart") }), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(parts, async (pieces) => {
      await inDir(async (dir) => {
        const text = Buffer.from(Array.from({ length: 1200 }, (_, k) => 33 + (k % 90)));
        let on = rig(dir);
        let told = 0;
        await on.link({ events: 0 });
        for (const { from, length, next } of pieces) {
          const at = Math.max(0, (on.subscribed.at(-1)?.cursors["a1/rank2.out"] ?? 0) + told - from);
          const begin = Math.min(at, on.logs.size("h", "a1/rank2.out")); // an agent never skips
          on.heard().frame({ t: "log", run: RUN, stream: "a1/rank2.out", offset: begin }, text.subarray(begin, begin + length));
          told = Buffer.concat(on.told).length;
          if (next === "on") continue;
          if (next === "restart") {
            on.close();
            on = rig(dir);
          }
          told = 0;
          await on.link({ events: 0 });
          on.told.length = 0;
        }
        const size = on.logs.size("h", "a1/rank2.out");
        on.close();
        if (size > 0) assert.deepEqual(readFileSync(join(dir, "a1/h/rank2.out")), text.subarray(0, size));
      });
    }),
    { numRuns: 100 },
  );
});

const event = (index: number, what: object): unknown => ({ index, at: 1, attempt: 1, event: { index, at: 1, ...what } });
const exited = (index: number, rank: number): unknown =>
  event(index, { type: "rank-exited", rank, pid: 5, code: 0, signal: null, source: "wait", coreDumped: false });

test("an event that cannot be read is passed over, and what follows it counts", async () => {
  await inDir(async (dir) => {
    const on = rig(dir);
    await on.link({ events: 0 });
    on.heard().event(RUN, exited(0, 2));
    on.heard().event(RUN, event(1, { type: "of-a-newer-agent" }));
    on.heard().event(RUN, exited(2, 3));
    assert.ok(on.isUp(), "the link stays");
    assert.deepEqual(cursorsOf(on.journal), [0, 2]);
    assert.match(on.notices.join("\n"), /cannot be read and counts for nothing/);
    on.close();
  });
});

test("events that are missing close the link, so that they come again; until then nothing after them counts", async () => {
  await inDir(async (dir) => {
    const on = rig(dir);
    await on.link({ events: 0 });
    on.heard().event(RUN, exited(1, 2));
    assert.ok(!on.isUp());
    assert.deepEqual(cursorsOf(on.journal), []);
    await on.link({ events: 2 });
    assert.equal(on.subscribed.at(-1)?.eventsFrom, 0);
    on.close();
  });
});

test("another host's rank counts for nothing and is told", async () => {
  await inDir(async (dir) => {
    const on = rig(dir);
    await on.link({ events: 0 });
    on.heard().event(RUN, exited(0, 0));
    on.heard().frame({ t: "log", run: RUN, stream: "a1/rank0.out", offset: 0 }, Buffer.from("x"));
    assert.deepEqual(cursorsOf(on.journal), []);
    assert.match(on.notices.join("\n"), /rank 0, which is not there/);
    assert.ok(!existsSync(join(dir, "a1/h/rank0.out")), "nor does its log");
    on.close();
  });
});

test("an agent that lost its record begins anew, also when the controller starts again after that", async () => {
  await inDir(async (dir) => {
    const journal: JournalLine[] = [];
    const first = rig(dir, journal);
    await first.link({ events: 0 });
    for (let k = 0; k < 5; k += 1) first.heard().event(RUN, exited(k, 2));
    await first.link({ events: 0 });
    assert.equal(first.subscribed.at(-1)?.eventsFrom, 0);
    assert.match(first.notices.join("\n"), /lost its record/);
    first.heard().event(RUN, exited(0, 3));
    first.close();
    const second = rig(dir, journal);
    await second.link({ events: 7 });
    assert.equal(second.subscribed.at(-1)?.eventsFrom, 1);
    second.close();
  });
});

test("a host that was started again is told as that alone, though its agent has no record of the run", async () => {
  await inDir(async (dir) => {
    const on = rig(dir);
    await on.link({ events: 0 });
    for (let k = 0; k < 5; k += 1) on.heard().event(RUN, exited(k, 2));
    await on.link({ events: 0, key: "another boot" });
    assert.equal(on.journal.filter(({ event }) => event.type === "host-rebooted").length, 1);
    assert.deepEqual(on.notices, [], "no word of a record that is lost");
    assert.equal(on.subscribed.at(-1)?.eventsFrom, 0);
    on.close();
  });
});

test("an agent that refuses is said to, once for each reason, and the link is given up", async () => {
  await inDir(async (dir) => {
    const on = rig(dir);
    await on.link({ events: 0 });
    for (let k = 0; k < 3; k += 1) await on.link({ events: 0, refuses: true });
    assert.ok(!on.isUp());
    const unseen = on.journal.flatMap(({ event: told }) => (told.type === "host-unseen" ? [told.why] : []));
    assert.equal(unseen.filter((why) => why.includes("taken over")).length, 1);
    assert.equal(on.intake.linked(), null);
    on.close();
  });
});

test("nothing is acknowledged before it is journaled, and an end whose logs are not here yet is told again", async () => {
  await inDir(async (dir) => {
    const on = rig(dir);
    await on.link({ events: 0 });
    on.heard().event(RUN, exited(0, 2));
    assert.equal(on.acks.at(-1)?.events, 1);
    on.heard().event(RUN, { index: 1, at: 1, attempt: 1, event: { type: "drained", at: 1, sizes: { "a1/rank2.out": 3 } } });
    on.intake.acknowledge();
    assert.equal(on.acks.at(-1)?.events, 1, "drained is not safe yet");
    on.heard().frame({ t: "log", run: RUN, stream: "a1/rank2.out", offset: 0 }, Buffer.from("abc"));
    on.intake.acknowledge();
    assert.equal(on.journal.at(-1)?.event.type, "host-drained");
    assert.equal(on.acks.filter((ack) => ack.events !== undefined).at(-1)?.events, 2);
    on.close();
  });
});

test("while the disk takes nothing, log lines are asked for again and again, also when they come together with the answer; once there is room they are there", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await inDir(async (dir) => {
    const one = rig(dir);
    const frame = (): void => one.heard().frame({ t: "log", run: RUN, stream: "a1/rank2.out", offset: 0 }, Buffer.from("line\n"));
    await one.link({ events: 0, onSubscribe: () => one.subscribed.length > 1 && frame() });
    writeFileSync(join(dir, "a1"), ""); // where the directory should be: every write fails
    frame();
    for (let asked = 2; asked <= 4; asked++) {
      t.mock.timers.tick(2000);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(one.subscribed.length, asked);
    }
    rmSync(join(dir, "a1"));
    t.mock.timers.tick(2000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(readFileSync(join(dir, "a1", "h", "rank2.out"), "utf8"), "line\n");
    t.mock.timers.tick(10_000);
    assert.equal(one.subscribed.length, 5, "and then no more");
    assert.ok(one.isUp());
    one.close();
  });
});
