/** Nothing from elsewhere reaches the terminal but letters: every screen, in colour and in ASCII, over an attack corpus and a million random bytes. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import xterm from "@xterm/headless";
import { widthOf } from "../../cluster/view/table.ts";
import type { LogLine } from "../../cluster/viewer.ts";
import { feedLines } from "../../controller/daemon/line-feed.ts";
import { frameOf, type Size } from "../../tui/frame.ts";
import { type Line, textOf } from "../../tui/line.ts";
import { plainText } from "../../tui/log/export-rows.ts";
import type { Model } from "../../tui/model.ts";
import type { Screen } from "../../tui/screen.ts";
import { allScreens } from "../../tui/screens.ts";
import { paint } from "../../tui/theme.ts";
import { ATTACKS, BAD_BYTES } from "./support/attacks.ts";
import { eventsUpTo, lineOf, modelOf, NOON, sampleOf, specOf } from "./support/stories.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours
const OURS = /\u001b\[(?:1|2|7|22|27|31;1|32|33|36|39|39;22)m/g;
const UNSEEN = [
  "\\u00ad",
  "\\u034f",
  "\\u061c",
  "\\u115f\\u1160",
  "\\u180b-\\u180e",
  "\\u200b\\u200e\\u200f",
  "\\u2028-\\u202e",
  "\\u2060-\\u206f",
  "\\u3164\\ufeff\\uffa0",
];
const FORBIDDEN = new RegExp(`[\\u0000-\\u001f\\u007f-\\u009f${UNSEEN.join("")}]|[\\u{e0000}-\\u{e01ef}]|\\p{Surrogate}`, "u");

function assertOwn(text: string): void {
  const found = FORBIDDEN.exec(text.replace(OURS, ""));
  assert.equal(found, null, `U+${found?.[0].codePointAt(0)?.toString(16)} came through in ${JSON.stringify(text)}`);
  assert.ok(!/\p{M}{9}/u.test(text), "no pile of marks");
}

const LOOKS: readonly (readonly [Size, boolean, "colour" | "mono"])[] = [
  [{ columns: 80, rows: 24 }, true, "mono"],
  [{ columns: 200, rows: 50 }, false, "colour"],
];

function frames(screen: Screen, screens: readonly Screen[], model: Model): void {
  for (const [size, isAscii, theme] of LOOKS) {
    const lines = frameOf(model, { screens, screen, modal: null, message: null }, size, isAscii);
    assert.ok(lines.length <= size.rows);
    for (const line of lines) assertRow(line, size.columns, isAscii, paint(line, theme, isAscii));
  }
}
function assertRow(line: Line, columns: number, isAscii: boolean, painted: string): void {
  assertOwn(painted);
  assert.ok(widthOf(textOf(line)) <= columns, `wider than ${columns}: ${JSON.stringify(textOf(line))}`);
  assert.ok(widthOf(painted.replace(OURS, "")) <= columns, `painted wider than ${columns}: ${JSON.stringify(painted)}`);
  if (isAscii) assert.match(painted.replace(OURS, ""), /^[ -~]*$/);
}

const pages = { ask: () => new Promise<never>(() => undefined), touch: () => undefined };
const hostile = ATTACKS.flatMap((attack) => [attack, `RuntimeError: ${attack} after`]);

function hostileModel(k: number): Model {
  const spec = specOf(4);
  const attack = ATTACKS[k % ATTACKS.length] ?? "";
  const lines = hostile.map((text, n): LogLine => lineOf(`node-${"abcd"[n % 4]}`, n % 32, NOON - 1000 + n, text, { stream: n % 3 === 0 ? "err" : "out" }));
  const gap = lineOf("node-a", 0, NOON, "", { gap: { from: 0, to: 99, why: attack } });
  const events = eventsUpTo(spec, "running");
  return modelOf({
    spec,
    events: [...events, { at: NOON - 5000, type: "host-unseen", host: "node-d", why: attack, kind: "silent" }],
    now: NOON,
    lines: [...lines, gap],
    doing: { "node-a": attack },
    sample: (name, host, seconds) => {
      const sample = sampleOf(name, host, seconds, () => ({ name: `H100 ${attack}` }));
      const processes = Object.fromEntries(
        Object.entries(sample.processes).map(([key, one]) => [key, { ...one, name: attack, user: attack, owner: "foreign" as const }]),
      );
      return { ...sample, processes };
    },
  });
}

test("every screen shows the corpus and obeys none of it", () => {
  for (let k = 0; k < ATTACKS.length; k += 1) {
    const model = hostileModel(k);
    const screens = allScreens(pages);
    for (const screen of screens) frames(screen, screens, model);
  }
});

test("logs: wrapped, sideways, chosen, opened, copied and handed to a pager", () => {
  const model = hostileModel(0);
  const screens = allScreens(pages);
  const screen = screens.find(({ id }) => id === "logs") ?? assert.fail();
  const view = { columns: 80, rows: 18, isAscii: false };
  for (const action of ["wrap", "up", "page-up", "page-up", "wrap", "right", "right", "time", "level", "level"] as const) {
    screen.act(action, model, view);
    frames(screen, screens, model);
  }
  screen.act("back", model, view);
  for (let k = 0; k < hostile.length; k += 1) {
    const opened = screen.act("open", model, view);
    assert.ok(opened?.do === "overlay");
    for (const line of opened.lines(model, view)) assertOwn(paint(line, "colour", false));
    const copied = screen.act("copy", model, view);
    assert.ok(copied?.do === "copy");
    assertOwn(copied.text.replaceAll("\t", " ").replace(/\p{M}+/gu, ""));
    screen.act("up", model, view);
  }
  const pager = screen.act("pager", model, view);
  assert.ok(pager?.do === "hand-over");
  for (const line of (pager.input ?? "").split("\n")) assertOwn(line.replaceAll("\t", " ").replace(/\p{M}+/gu, ""));
});

test("a million random bytes, and bytes that are no text: each row that is drawn is letters", () => {
  const lines: LogLine[] = [];
  const feed = feedLines((line) => lines.push(line));
  for (const bytes of [...BAD_BYTES, randomBytes(1_000_000)]) feed.push("node-a", "a1/rank0.out", Buffer.concat([bytes, Buffer.from("\n")]), NOON);
  assert.ok(lines.length > 3000);
  const spec = specOf(4);
  const model = modelOf({ spec, events: eventsUpTo(spec, "running"), now: NOON, lines });
  const screens = allScreens(pages);
  const screen = screens.find(({ id }) => id === "logs") ?? assert.fail();
  const view = { columns: 120, rows: 46, isAscii: false };
  let drawn = 0;
  for (const turn of ["wrap", "wrap"] as const) {
    screen.act("follow", model, view);
    for (let page = 0; page < lines.length / 45 + 2; page += 1) {
      for (const line of screen.draw(model, view)) assertRow(line, view.columns, false, paint(line, "colour", false));
      drawn += 1;
      screen.act("page-up", model, view);
    }
    screen.act(turn, model, view);
  }
  assert.ok(drawn > 100);
  for (const line of lines)
    assertOwn(
      plainText(line)
        .replaceAll("\t", " ")
        .replace(/\p{M}+/gu, ""),
    );
});

test("a terminal that is shown all of it keeps its title, rings no bell, answers nothing and wraps no row", async () => {
  const size = { columns: 120, rows: 40 };
  const terminal = new xterm.Terminal({ cols: size.columns, rows: size.rows, scrollback: 0, allowProposedApi: true, convertEol: true });
  const obeyed: string[] = [];
  terminal.onTitleChange((title) => obeyed.push(`title ${title}`));
  terminal.onBell(() => obeyed.push("bell"));
  terminal.onData((data) => obeyed.push(`answered ${JSON.stringify(data)}`));
  for (const code of [0, 2, 8, 9, 52, 777, 1337]) terminal.parser.registerOscHandler(code, (data) => obeyed.push(`OSC ${code} ${data}`) > 0);
  for (let k = 0; k < ATTACKS.length; k += 1) {
    const model = hostileModel(k);
    const screens = allScreens(pages);
    for (const screen of screens) {
      const rows = frameOf(model, { screens, screen, modal: null, message: null }, size, false).map((line) => paint(line, "colour", false));
      await new Promise<void>((resolve) => terminal.write(`\u001b[H\u001b[2J${rows.join("\n")}`, resolve));
      const buffer = terminal.buffer.active;
      for (let y = 0; y < size.rows; y += 1) assert.equal(buffer.getLine(y)?.isWrapped, false, `row ${y} of ${screen.id}`);
      assert.equal(buffer.type, "normal");
    }
  }
  assert.deepEqual(obeyed, []);
  terminal.dispose();
});
