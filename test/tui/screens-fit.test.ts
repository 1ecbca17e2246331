/** Whatever a run, its hosts and its logs say, at any size and after any keys: no row is too wide, none too many, and nothing drives the terminal. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { GpuProcess, GpuSample, Sample } from "../../cluster/telemetry/sample.ts";
import type { ActionId } from "../../tui/keys.ts";
import { columnsOf, type Line, textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import { createNcclLog } from "../../tui/nccl-log.ts";
import type { Screen, View } from "../../tui/screen.ts";
import { createEventsScreen } from "../../tui/screens/events.ts";
import { createGpusScreen } from "../../tui/screens/gpus.ts";
import { hostDetailLines } from "../../tui/screens/host-detail.ts";
import { createNcclScreen } from "../../tui/screens/nccl.ts";
import { createRanksScreen } from "../../tui/screens/ranks.ts";
import { createRunsScreen } from "../../tui/screens/runs.ts";
import { ncclLines } from "./support/nccl-story.ts";
import * as stories from "./support/stories.ts";

const MAKE: Readonly<Record<string, () => Screen>> = {
  gpus: createGpusScreen,
  ranks: createRanksScreen,
  nccl: () =>
    createNcclScreen(
      createNcclLog(
        async () => null,
        () => undefined,
      ),
    ),
  events: createEventsScreen,
  runs: createRunsScreen,
};
const ACTIONS: readonly ActionId[] = [
  ...(["up", "down", "page-up", "page-down", "first", "last", "left", "right", "open", "follow", "time", "next", "previous"] as const),
  ...(["mark", "sort", "metric", "copy", "hang", "compare", "attempt", "filter", "nccl-level", "shell", "exclude"] as const),
];

// biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
function assertSafe(lines: readonly Line[], { columns, rows, isAscii }: View, what: string): void {
  assert.ok(lines.length <= rows, `${what}: ${lines.length} lines on ${rows} rows`);
  for (const line of lines) {
    const text = textOf(line);
    assert.ok(columnsOf(line) <= columns, `${what}: wider than ${columns}: ${JSON.stringify(text)}`);
    assert.ok(!CONTROL.test(text), `${what}: ${JSON.stringify(text)}`);
    assert.ok(!isAscii || /^[ -~]*$/.test(text), `${what} in ASCII: ${JSON.stringify(text)}`);
  }
}

function press(screen: Screen, model: Model, view: View, action: ActionId): void {
  const wish = screen.act(action, model, view);
  if (wish?.do === "overlay") assertSafe(wish.lines(model, view), { ...view, rows: Number.POSITIVE_INFINITY }, `${screen.id} ${action}`);
}

const size = fc.record({ columns: fc.integer({ min: 1, max: 200 }), rows: fc.integer({ min: 1, max: 200 }), isAscii: fc.boolean() });
const keys = fc.array(fc.constantFrom(...ACTIONS), { maxLength: 12 });
const which = fc.constantFrom(...Object.keys(MAKE));

/** A model is made once: what it tells does not change. */
const { healthy, slowGpu, comingUp, silentHost, recovering, failed, lostHost, many, ended, uneven, history } = stories;
const MODELS: readonly (() => Model)[] = [healthy, slowGpu, comingUp, silentHost, recovering, failed, lostHost, many, ended, uneven, history].map((make) => {
  let made: Model | null = null;
  return () => {
    made ??= make();
    return made;
  };
});

test("each story at any size, after any keys", () => {
  fc.assert(
    fc.property(fc.constantFrom(...MODELS), which, size, size, keys, (model, id, before, view, actions) => {
      const screen = MAKE[id]?.() ?? assert.fail(id);
      assertSafe(screen.draw(model(), before), before, id);
      for (const action of actions) press(screen, model(), view, action);
      assertSafe(screen.draw(model(), view), view, `${id} after ${actions.join(" ")}`);
    }),
    { numRuns: 300 },
  );
});

const evil = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "\u001b]52;c;aGk=\u0007",
    "\u001b[2J\u001b[31m",
    "\u009b31m",
    "節点-東京-一号機",
    "e\u0301\u0301\u0301",
    "👩‍👩‍👧‍👦",
    "\u202eevil\u0000",
    "a\nb\tc",
    "x".repeat(400),
    "",
  ),
);
const maybe = (most: number) => fc.option(fc.oneof(fc.double({ min: 0, max: most, noNaN: true }), fc.integer({ min: 0, max: most })), { nil: undefined });
const gpu: fc.Arbitrary<Partial<GpuSample>> = fc
  .record({
    ...{ use: maybe(100), memoryUsedMiB: maybe(1e8), memoryTotalMiB: maybe(1e8), temperatureC: maybe(250), powerW: maybe(1e5), powerLimitW: maybe(1e5) },
    ...{ smMHz: maybe(1e5), smMaxMHz: maybe(1e5), eccUncorrected: maybe(1e9), eccCorrected: maybe(1e9), nvlinks: maybe(1000), nvlinksDown: maybe(1000) },
    ...{ reasons: maybe(2 ** 40), name: evil, recovery: evil, down: fc.constantFrom(undefined, undefined, undefined, "lost" as const, "unknown" as const) },
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));

type Telling = {
  readonly names: readonly string[];
  readonly texts: readonly string[];
  readonly gpus: readonly Partial<GpuSample>[];
  readonly ageMs: number;
  readonly state: "ok" | "hung" | "failed" | "absent";
  readonly isRunning: boolean;
};
const telling: fc.Arbitrary<Telling> = fc.record({
  names: fc.uniqueArray(
    evil.map((name) => name || "h"),
    { minLength: 1, maxLength: 5 },
  ),
  texts: fc.array(evil, { minLength: 8, maxLength: 8 }),
  gpus: fc.array(gpu, { minLength: 1, maxLength: 4 }),
  ageMs: fc.constantFrom(0, 1000, 60_000, 9e8),
  state: fc.constantFrom("ok" as const, "hung" as const, "failed" as const, "absent" as const),
  isRunning: fc.boolean(),
});

function hostile({ names, texts, gpus, ageMs, state, isRunning }: Telling): Model {
  const text = (k: number): string => texts[k % texts.length] ?? "";
  const [first = "h"] = names;
  const hosts = names.map((name, k) => ({
    ...stories.specOf(1).hosts[0],
    name,
    address: text(k),
    transport: "ssh" as const,
    env: {},
    gpus: { kind: "auto" as const },
  }));
  const spec = { ...stories.specOf(1), name: text(0), file: text(1), hosts, minHosts: 1, tags: [text(2)] };
  const { NOON } = stories;
  const finding = { code: "STRAGGLER", text: text(3), host: first, rank: 0, gpu: `GPU-${first}-0`, key: "k", since: NOON - 9000, until: null };
  const problem = { code: "LINK_LOST", message: text(4), hint: text(5), exit: 4 } as const;
  const events: RunEvent[] = [
    ...stories.eventsUpTo(spec, isRunning ? "running" : "connecting"),
    { at: NOON - 9000, type: "finding", attempt: 1, finding },
    { at: NOON - 8000, type: "hang-found", attempt: 1, verdict: { text: text(6), host: first, rank: 0, evidence: [...texts] } },
    { at: NOON - 7000, type: "host-refused", host: first, problem },
    { at: NOON - 6000, type: "host-unseen", host: first, why: text(7) },
    { at: NOON - 5000, type: "stop-requested", by: text(0), why: text(1), graceMs: 1000 },
  ];
  const sample = (name: string, hostIndex: number, seconds: number): Sample => {
    const base = stories.sampleOf(name, hostIndex, seconds, (k) => gpus[(k + hostIndex) % gpus.length] ?? {});
    const [uuid = ""] = Object.keys(base.gpus);
    const process: GpuProcess = { gpu: uuid, pid: 9, user: text(2), name: text(3), owner: "foreign", memoryMiB: 1e8 };
    return { ...base, tool: { name: "nvidia-smi", state, text: text(4), since: 1 }, processes: { ...base.processes, x: process } };
  };
  const lines = [
    ...texts.map((line, k) => stories.lineOf(first, k, NOON - 1000, line)),
    ...ncclLines("IB")
      .slice(0, 40)
      .map((line) => ({ ...line, text: `${line.text}${text(5)}` })),
  ];
  const doing = { [first]: text(6) };
  const model = stories.modelOf({ spec, events, now: NOON, lines, sample, doing, ageMs: () => ageMs });
  const [run] = model.runs;
  return run === undefined
    ? model
    : { ...model, runs: [{ ...run, failure: text(4), by: text(5), tags: [...texts], pricePerHour: 1e9, waitsFor: { [first]: text(6) } }] };
}

test("whatever hosts, GPUs and people say", () => {
  fc.assert(
    fc.property(telling, which, size, keys, (told, id, view, actions) => {
      const model = hostile(told);
      const screen = MAKE[id]?.() ?? assert.fail(id);
      assertSafe(screen.draw(model, view), view, id);
      for (const action of actions) press(screen, model, view, action);
      assertSafe(screen.draw(model, view), view, `${id} after ${actions.join(" ")}`);
      assertSafe(hostDetailLines(told.names[0] ?? "", model, view), { ...view, rows: Number.POSITIVE_INFINITY }, "host detail");
    }),
    { numRuns: 150 },
  );
});

test("no run, no host, no telemetry", () => {
  const healthy = stories.healthy();
  const run = healthy.run ?? assert.fail();
  const bare = { ...run, readings: [], history: new Map(), stepMs: new Map(), busyMs: new Map(), doing: new Map(), totals: null, pace: null, trail: [] };
  const empty = { ...bare, events: [], state: { ...run.state, ranks: {}, hosts: {}, members: [], nproc: [], spec: { ...run.state.spec, hosts: [] } } };
  for (const model of [
    { ...healthy, run: null, runs: [] },
    { ...healthy, run: bare },
    { ...healthy, run: empty },
  ]) {
    for (const [id, make] of Object.entries(MAKE)) {
      const screen = make();
      const view = { columns: 80, rows: 20, isAscii: false };
      assertSafe(screen.draw(model, view), view, id);
      for (const action of ACTIONS) press(screen, model, view, action);
      assert.ok(
        screen.draw(model, view).some((line) => textOf(line).trim() !== ""),
        `${id} says why there is nothing`,
      );
    }
  }
});
