/** Rows of a screen as an SVG picture of a terminal: each piece of text stands on its column, whatever font there is. */

import { columnsOf, type Line, type Tone } from "../../tui/line.ts";

/** Of a monospace font of 14 px, in px. */
const CELL = { width: 8.4, height: 19 } as const;
const MARGIN = 14;

const INK: Readonly<Record<Tone, string>> = {
  plain: "#d0d7de",
  dim: "#7d8590",
  good: "#3fb950",
  warn: "#d29922",
  bad: "#f85149",
  accent: "#58a6ff",
  title: "#ffffff",
  chosen: "#0d1117",
};
const PAPER = "#0d1117";
const CHOSEN = "#79c0ff";

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const px = (n: number): string => String(Math.round(n * 10) / 10);

/** `label`: what a person who cannot see it is told. */
export function pictureOf(rows: readonly Line[], columns: number, label: string): string {
  const [width, height] = [columns * CELL.width + 2 * MARGIN, rows.length * CELL.height + 2 * MARGIN];
  const body = rows.flatMap((row, k) => rowOf(row, MARGIN + k * CELL.height));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${px(width)} ${px(height)}" width="${px(width)}" height="${px(height)}" role="img" aria-label="${escaped(label).replaceAll('"', "&quot;")}">`,
    `<rect width="100%" height="100%" rx="8" fill="${PAPER}"/>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" xml:space="preserve">`,
    ...body,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function rowOf(row: Line, top: number): string[] {
  const drawn: string[] = [];
  let column = 0;
  for (const piece of row) {
    const cells = columnsOf([piece]);
    const [left, length] = [MARGIN + column * CELL.width, cells * CELL.width];
    column += cells;
    if (piece.tone === "chosen") drawn.push(`<rect x="${px(left)}" y="${px(top)}" width="${px(length)}" height="${CELL.height}" fill="${CHOSEN}"/>`);
    // Blanks are not drawn: each run of words is put on its own column.
    for (const words of piece.text.matchAll(/\S+(?: \S+)*/g)) {
      const before = columnsOf([{ ...piece, text: piece.text.slice(0, words.index) }]);
      const own = columnsOf([{ ...piece, text: words[0] }]);
      const weight = piece.tone === "title" ? ' font-weight="bold"' : "";
      drawn.push(
        `<text x="${px(left + before * CELL.width)}" y="${px(top + CELL.height * 0.74)}" textLength="${px(own * CELL.width)}" lengthAdjust="spacingAndGlyphs" fill="${INK[piece.tone]}"${weight}>${escaped(words[0])}</text>`,
      );
    }
  }
  return drawn;
}
