/** A recording behind the real store, reader and keys: moved there and back, the screen shows that time and nothing of later. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { textOf } from "../../tui/line.ts";
import { startReader } from "../../tui/reader.ts";
import { createReplay } from "../../tui/replay.ts";
import { allScreens } from "../../tui/screens.ts";
import { createShell } from "../../tui/shell.ts";
import { createStore } from "../../tui/store.ts";
import { openRecorded, type RecordedName } from "./support/recorded.ts";

const DEADLINE_MS = 20_000;

function open(t: TestContext, name: RecordedName) {
  const source = createReplay(openRecorded(name), 0);
  const store = createStore({ isReadonly: true, clock: Date.now, replay: source.replay });
  const reader = startReader({ source, find: async () => source, store, say: () => undefined, replaced: () => undefined });
  t.after(() => {
    reader.leave();
    source.close();
    store.close();
  });
  const asked: string[] = [];
  const shell = createShell({
    ...{ model: store.snapshot, size: () => ({ columns: 120, rows: 40 }), isAscii: false, screens: allScreens(reader), first: "overview", by: "tester" },
    replay: source.replay,
    world: {
      ask: async ({ ask }) => void asked.push(ask),
      ...{ handOver: async () => null, copy: () => undefined, suspend: () => undefined, redraw: () => undefined, watch: reader.watch, exit: () => undefined },
      own: (args) => args,
    },
  });
  reader.watch(openRecorded(name).head.run);
  const text = (): string => shell.draw().map(textOf).join("\n");
  const shows = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(text())) return;
        clearTimeout(timer);
        off();
        resolve();
      };
      const off = store.subscribe(look);
      const timer = setTimeout(() => reject(new Error(`never showed ${pattern}:\n${text()}`)), DEADLINE_MS);
      look();
    });
  const type = (...chords: string[]): void => {
    for (const chord of chords) shell.press([chord]);
  };
  return { source, shell, asked, text, shows, type, seek: (when: string) => type(":", ..."seek", "space", ...when, "enter") };
}

test("to the end, back to the beginning, to the crash: each time what was known then", async (t) => {
  const { seek, shows, text, type, source } = open(t, "worker-killed");
  await shows(/REPLAY stands at 0:00 of 1:18/);
  seek("end");
  await shows(/SUCCEEDED {2}attempt 2[\s\S]*step 110\/110/);
  seek("0:15");
  await shows(/REPLAY stands at 0:15[\s\S]*gpu-a +running/);
  assert.doesNotMatch(text(), /attempt 2|SIGKILL|SUCCEEDED/, "nothing of later");
  type("c");
  assert.equal(source.replay.position(), (source.replay.crashAt ?? 0) - 5000);
  type(">");
  await shows(/SIGKILL/);
  type("<");
  await shows(/RUNNING {2}attempt 1/);
  assert.doesNotMatch(text(), /SIGKILL/);
});

test("faster and slower are keys, and say how fast; what is no place is said while it is typed", async (t) => {
  const { type, text, source, seek, shows } = open(t, "healthy");
  await shows(/REPLAY stands/);
  type(".", ".", ".");
  assert.match(text(), /x2, at /);
  type(",", ",", ",");
  assert.equal(source.replay.speed(), 0);
  seek("soon");
  assert.match(text(), /seek 1:30, \+30/);
  type("esc", "c");
  assert.match(text(), /nothing went wrong in this recording/);
  type("?");
  assert.match(text(), /In a recording[\s\S]*faster/);
});

test("nothing acts on the run of a recording", async (t) => {
  const { type, asked, text, seek, shows } = open(t, "healthy");
  seek("0:15");
  await shows(/RUNNING/);
  for (const key of ["s", "K", "r", "E"]) type(key, "y", "esc");
  assert.deepEqual(asked, []);
  assert.match(text(), /RUNNING/);
});
