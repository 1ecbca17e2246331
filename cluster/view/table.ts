/** Plain columns: as wide as their content, two blanks apart, nothing after the last. */

/** Drawn as a picture, and as wide as one, for all that it lies among letters: ✅. */
const PICTURE = /\p{Emoji_Presentation}/u;

/** Cells of a terminal that a text takes: wide scripts and emoji take two, marks none. SGR must be gone. */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const char of text) {
    if (/\p{Mn}|\p{Me}|\p{Cf}/u.test(char)) continue;
    const c = char.codePointAt(0) ?? 0;
    const isWide =
      (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) ||
      (c >= 0xff00 && c <= 0xff60) || (c >= 0xffe0 && c <= 0xffe6) || (c >= 0xa960 && c <= 0xa97c) || (c >= 0xfe10 && c <= 0xfe19) ||
      (c >= 0x16fe0 && c <= 0x1b2fb) || (c >= 0x1f200 && c <= 0x1f265) || (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd); // biome-ignore format: ranges
    width += isWide || (c >= 0x231a && PICTURE.test(char)) ? 2 : 1;
  }
  return width;
}

export const padTo = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - widthOf(text)));

export function formatTable(rows: readonly (readonly string[])[]): readonly string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, k) => Math.max(...rows.map((row) => widthOf(row[k] ?? ""))));
  return rows.map((row) =>
    row
      .map((cell, k) => (k === row.length - 1 ? cell : padTo(cell, widths[k] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** Cut to `columns` cells, with a mark when something is missing. */
export function fitTo(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let out = "";
  let width = 0;
  for (const char of text) {
    const next = widthOf(char);
    if (width + next > columns - 1) break;
    out += char;
    width += next;
  }
  return `${out}…`;
}
