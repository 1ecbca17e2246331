/** Keys, questions and commands, without a terminal: what they set off, and what they must never set off. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KEYS, type Key } from "../../tui/keys.ts";
import { textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import type { ScreenId } from "../../tui/screen.ts";
import { allScreens } from "../../tui/screens.ts";
import { createShell, type Shell } from "../../tui/shell.ts";
import type { Ask } from "../../tui/source.ts";
import { ended, healthy, many } from "./support/stories.ts";

type Seen = { readonly shell: Shell; readonly asked: Ask[]; readonly did: string[]; readonly text: () => string; readonly type: (...chords: string[]) => void };

function open(model: Model, size = { columns: 120, rows: 40 }): Seen {
  const asked: Ask[] = [];
  const did: string[] = [];
  const shell = createShell({
    model: () => model,
    size: () => size,
    isAscii: false,
    screens: allScreens({ ask: async () => ({ lines: [], before: null, after: null }), touch: () => undefined }),
    first: "overview",
    by: "tester",
    world: {
      ask: async (ask) => void asked.push(ask),
      handOver: async (argv) => {
        did.push(argv.join(" "));
        return null;
      },
      copy: (text) => void did.push(`copy ${text}`),
      suspend: () => void did.push("suspend"),
      redraw: () => void did.push("redraw"),
      watch: (run) => void did.push(`watch ${run}`),
      exit: () => void did.push("exit"),
      own: (args) => ["own", ...args],
    },
  });
  const type = (...chords: string[]): void => {
    for (const chord of chords) shell.press([chord]);
  };
  return { shell, asked, did, type, text: () => shell.draw().map(textOf).join("\n") };
}

const SCREENS: readonly ScreenId[] = ["overview", "logs", "gpus", "ranks", "nccl", "events", "runs"];

test("on no screen does a key mean two things", () => {
  for (const screen of SCREENS) {
    const seen = new Map<string, string>();
    for (const [action, { chords, on }] of Object.entries(KEYS) as [string, Key][]) {
      if (on !== undefined && !on.includes(screen)) continue;
      for (const chord of chords) {
        assert.equal(seen.get(chord), undefined, `${chord} on ${screen}: ${seen.get(chord)} and ${action}`);
        seen.set(chord, action);
      }
    }
  }
});

test("stop asks first and says what will happen; no, escape and other keys do nothing", () => {
  const { asked, type, text } = open(healthy());
  type("s");
  assert.match(text(), /have [\d.]+ s to save/);
  type("x", "n");
  assert.equal(asked.length, 0);
  type("s", "esc", "s", "y");
  assert.deepEqual(
    asked.map((ask) => ask.ask === "stop" && [ask.graceMs, ask.by]),
    [[null, "tester"]],
  );
});

test("kill wants the run's id, letter by letter", () => {
  const { asked, type, text } = open(healthy());
  type("K", "y", "enter");
  assert.equal(asked.length, 0);
  assert.match(text(), /type llama3-8b_20251101_121742 to go on: y/);
  type("backspace", ..."llama3-8b_20251101_121742", "enter");
  assert.deepEqual(
    asked.map((ask) => ask.ask === "stop" && ask.graceMs),
    [0],
  );
});

test("restart is judged before it is asked for, and names the attempt that was seen", () => {
  const { asked, type, text } = open(healthy());
  type("r");
  assert.match(text(), /Attempt 1 is ended, attempt 2 goes on/);
  type("y");
  assert.deepEqual(asked, [{ ask: "act", run: "llama3-8b_20251101_121742", act: { do: "restart", attempt: 1 }, by: "tester" }]);
});

test("the leave dialog: detach is the default, a second Ctrl-C detaches, escape goes back, s and k act", () => {
  for (const [keys, exits, stops] of [
    [["q", "d"], 1, []],
    [["q", "enter"], 1, []],
    [["ctrl-c", "ctrl-c"], 1, []],
    [["q", "q"], 1, []],
    [["q", "esc"], 0, []],
    [["q", "x"], 0, []],
    [["d"], 1, []],
    [["ctrl-c", "s"], 0, [null]],
    [["q", "k"], 0, [0]],
  ] as const) {
    const { asked, did, type } = open(healthy());
    type(...keys);
    assert.equal(did.filter((each) => each === "exit").length, exits, keys.join(" "));
    assert.deepEqual(
      asked.map((ask) => ask.ask === "stop" && ask.graceMs),
      stops,
      keys.join(" "),
    );
  }
});

test("a run that is over is left at once", () => {
  const { did, type } = open(ended());
  type("q");
  assert.deepEqual(did, ["exit"]);
});

test("--readonly: no key and no command acts, and it is said", () => {
  const { asked, did, type, text } = open({ ...healthy(), isReadonly: true });
  for (const key of ["r", "s", "K", "E", "P", "x"]) type(key, "y", "enter", "esc");
  for (const word of ["stop", "kill", "restart"]) type(":", ...word, "enter", "y");
  type("q");
  assert.doesNotMatch(text(), /\[s\]|\[k\]/);
  type("s", "k", "esc");
  type("r");
  assert.match(text(), /not with --readonly/);
  assert.match(text(), /read only/);
  assert.deepEqual([asked, did], [[], []]);
});

test("what is pasted or comes at once never acts, whatever it is", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(..."srKqdyExDPhkn:jkG1234567?/ ", "enter", "esc"), { minLength: 2, maxLength: 40 }), (chords) => {
      const { shell, asked, did } = open(many());
      shell.press(chords);
      shell.paste(chords.join(""));
      shell.draw();
      assert.deepEqual([asked, did.filter((each) => !/^(redraw$|copy |watch )/.test(each))], [[], []]);
    }),
    { numRuns: 60 },
  );
});

test("typed fast, keys that only move all move", () => {
  const { shell, did, type } = open(healthy());
  shell.press(["j", "j", "j"]);
  type("y");
  assert.deepEqual(did, ["copy node-d"]);
});

test("commands: completion, cut-short words, hosts by their end, and what is wrong is said", () => {
  const { did, type, text } = open(healthy());
  type(":", ..."gpu", "tab");
  assert.match(text(), /:gpus /);
  type("esc", ":", ..."logs b", "enter");
  assert.match(text(), /node-b/);
  type(":", ..."logs nobody", "enter");
  assert.match(text(), /no host or rank is called nobody/);
  type("esc", ":", ..."q", "enter", "d");
  assert.deepEqual(did, ["exit"]);
});

test("a paste goes into the line that is typed, as one line, and does not end it", () => {
  const { shell, type, text } = open(healthy());
  type(":");
  shell.paste("logs\nnode-b\n");
  assert.match(text(), /:logs node-b /);
});

test("help names every key of the table that means something here", () => {
  const { type, text } = open(healthy(), { columns: 120, rows: 200 });
  type("?");
  for (const { help, on, isReplay } of Object.values(KEYS) as Key[])
    if (on === undefined || on.includes("overview")) assert.equal(text().includes(help), isReplay !== true, help);
  type("esc");
  assert.doesNotMatch(text(), /Commands, after/);
});

test("enter opens a host, tab and enter a finding", () => {
  const { type, text } = open(many());
  text();
  type("enter");
  assert.match(text(), /host gpu-/);
  type("esc", "tab", "enter");
  assert.match(text(), /no heartbeat|works at 12 %/);
});

test("any keys in any order: it is drawn within its size, and nothing acts without a yes", () => {
  const keys = [...new Set(Object.values(KEYS).flatMap(({ chords }) => [...chords]))].filter((chord) => !["x", "D", "o", "h"].includes(chord));
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...keys), { maxLength: 60 }),
      fc.integer({ min: 60, max: 200 }),
      fc.integer({ min: 16, max: 60 }),
      (chords, columns, rows) => {
        const { asked, type, shell } = open(healthy(), { columns, rows });
        for (const chord of chords) {
          type(chord);
          const lines = shell.draw();
          assert.equal(lines.length, rows);
        }
        if (!chords.includes("y"))
          assert.deepEqual(
            asked.filter(({ ask }) => ask === "act"),
            [],
          );
      },
    ),
    { numRuns: 40 },
  );
});

test("Ctrl-C asks whether to leave, also from before a help that is read", () => {
  const { type, text, did } = open(healthy());
  type("?");
  assert.match(text(), /help: Overview/);
  type("ctrl-c");
  assert.match(text(), /\[d\] detach/);
  assert.deepEqual(did, []);
  type("ctrl-c");
  assert.deepEqual(did, ["exit"]);
});
