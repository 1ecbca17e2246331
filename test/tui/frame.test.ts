/** The whole picture, at each size: header, tabs, Overview, footer. What must never happen: a row or a column too many, a control byte. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf, type Shown } from "../../tui/frame.ts";
import { textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import { allScreens } from "../../tui/screens.ts";
import { paint } from "../../tui/theme.ts";
import { assertFits, checkGolden } from "./support/golden.ts";
import { comingUp, ended, failed, healthy, lostHost, many, recovering, silentHost, slowGpu } from "./support/stories.ts";

process.env.TZ = "UTC";
const STORIES = { healthy, "slow-gpu": slowGpu, "coming-up": comingUp, silent: silentHost, recovering, failed, lost: lostHost, many, ended };
const SIZES = [
  [60, 16],
  [80, 24],
  [120, 40],
  [200, 50],
] as const;

const shown = (more: Partial<Shown> = {}): Shown => {
  const screens = allScreens({ ask: async () => null, touch: () => undefined });
  return { screens, screen: screens[0] ?? assert.fail(), modal: null, message: null, ...more };
};

function pictured(model: Model, columns: number, rows: number, isAscii = false): string {
  const lines = frameOf(model, shown(), { columns, rows }, isAscii);
  assertFits(lines, { columns, rows, isAscii });
  const painted = lines.map((line) => paint(line, "mono", isAscii));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of ours are the only ones
  for (const row of painted) assert.doesNotMatch(row.replace(/\u001b\[[\d;]*m/g, ""), /[\u0000-\u001f\u007f-\u009f]/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is meant
  if (isAscii) for (const row of painted) assert.match(row, /^[\u0000-\u007f]*$/);
  const text = isAscii ? painted : lines.map(textOf);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
  return `${text.map((row) => row.replace(/\u001b\[[\d;]*m/g, "").trimEnd()).join("\n")}\n`;
}

for (const [name, story] of Object.entries(STORIES))
  test(`Overview, ${name}`, () => {
    for (const [columns, rows] of SIZES) checkGolden(`frame-${name}-${columns}x${rows}`, pictured(story(), columns, rows));
  });

test("Overview without a character outside ASCII", () => checkGolden("frame-ascii-80x24", pictured(slowGpu(), 80, 24, true)));

test("every size from the least on is filled exactly, and below it is said in one line", () => {
  const model = many();
  for (let columns = 20; columns <= 220; columns += 7)
    for (let rows = 4; rows <= 70; rows += 3) {
      const lines = frameOf(model, shown(), { columns, rows }, false);
      assertFits(lines, { columns, rows, isAscii: false });
      assert.equal(lines.length, rows);
      if (columns < 60 || rows < 16) assert.match(textOf(lines[0] ?? []), /^nexadist: \d+x\d+/);
      else assert.doesNotMatch(textOf(lines[0] ?? []), /too small/);
    }
});

test("names that are long, wide or hostile shift no column and reach the terminal as text", () => {
  const model = slowGpu();
  const { run } = model;
  assert.ok(run !== null);
  const evil = "\u001b]52;c;AAAA\u0007\u202egpu\u009b2J中文\u0000-".repeat(9);
  const spec = { ...run.state.spec, hosts: run.state.spec.hosts.map((host) => ({ ...host, name: `${evil}${host.name}` })) };
  const hosts = Object.fromEntries(
    Object.entries(run.state.hosts).map(([name, host]) => [`${evil}${name}`, { ...host, name: `${evil}${name}`, problem: null }]),
  );
  const state = { ...run.state, spec, hosts, members: run.state.members.map((name) => `${evil}${name}`) };
  for (const [columns, rows] of SIZES) pictured({ ...model, run: { ...run, state } }, columns, rows);
});
