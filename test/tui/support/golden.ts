/** Screens compared with what was looked at once and found right: test/tui/golden. UPDATE_GOLDEN=1 writes them. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { widthOf } from "../../../cluster/view/table.ts";
import { type Line, textOf } from "../../../tui/line.ts";
import type { Model } from "../../../tui/model.ts";
import type { Screen, View } from "../../../tui/screen.ts";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "../golden");
export const SIZES = [
  [80, 24],
  [120, 40],
  [200, 50],
] as const;
/** Rows of the shell around a screen. */
const SHELL_ROWS = 4;

export const viewOf = (columns: number, rows: number, isAscii = false): View => ({ columns, rows: rows - SHELL_ROWS, isAscii });

export function checkGolden(name: string, text: string): void {
  const path = join(FOLDER, `${name}.txt`);
  if (process.env.UPDATE_GOLDEN === "1") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path, text);
  }
  assert.ok(existsSync(path), `${path} is absent: UPDATE_GOLDEN=1 writes it`);
  assert.equal(text, readFileSync(path, "utf8"), `${path} differs: look, then UPDATE_GOLDEN=1`);
}

export function drawn(screen: Screen, model: Model, view: View): string {
  const lines = screen.draw(model, view);
  assertFits(lines, view);
  return `${lines.map((line) => textOf(line).trimEnd()).join("\n")}\n`;
}

export function assertFits(lines: readonly Line[], { columns, rows }: View): void {
  assert.ok(lines.length <= rows, `${lines.length} lines on ${rows} rows`);
  for (const line of lines) assert.ok(widthOf(textOf(line)) <= columns, `wider than ${columns}: ${textOf(line)}`);
}

/** At all three sizes. */
export function checkScreen(name: string, make: () => Screen, model: Model): void {
  for (const [columns, rows] of SIZES) checkGolden(`${name}-${columns}x${rows}`, drawn(make(), model, viewOf(columns, rows)));
}
