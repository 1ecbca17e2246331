/** No byte from elsewhere may drive the terminal, wherever the chunks are cut. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createSanitiser, sanitise, sanitiseWord, withoutColour } from "../../cluster/sanitise.ts";
import { createLineReader, LINE_MAX } from "../../cluster/view/lines.ts";

/** What a terminal may be given: no control but tab, newline and whole SGR sequences; no C1, no direction marks, no half pairs. */
function assertHarmless(text: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what may be there
  const rest = text.replace(/\u001b\[[0-9;:]*m/g, "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be absent
  assert.doesNotMatch(rest, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
  assert.doesNotMatch(rest, /\p{Surrogate}/u);
}

const nasty = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "\x1b]52;c;aGk=\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1bP1$r\x1b\\",
        "\x1b]0;t\x07",
        "\x9b31m",
        "\x1b[2J",
        "\x1b[31m",
        "\x1b[0m",
        "\x1b[",
        "\x1b",
        "\r",
        "\u202e",
        "ü",
        "😀",
        "\0",
      ),
    ),
  )
  .map((parts) => parts.join(""));

test("sanitised text is harmless and stays so", () => {
  fc.assert(
    fc.property(nasty, (text) => {
      const once = sanitise(text);
      assertHarmless(once);
      assert.equal(sanitise(once), once);
      assertHarmless(sanitiseWord(text));
      assert.ok(!sanitiseWord(text).includes("\n") && !sanitiseWord(text).includes("\x1b"));
    }),
    { numRuns: 2000 },
  );
});

test("a stream gives the same text wherever its bytes are cut", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    nasty.map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, fc.array(fc.nat({ max: 300 })), (whole, cuts) => {
      const places = [0, ...[...cuts].sort((a, b) => a - b).filter((n) => n <= whole.length), whole.length];
      const stream = createSanitiser();
      const reader = createLineReader();
      let text = "";
      const lines: string[] = [];
      for (let i = 1; i < places.length; i++) {
        const piece = whole.subarray(places[i - 1], places[i]);
        text += stream.push(piece);
        lines.push(...reader.push(piece));
      }
      text += stream.end();
      lines.push(...reader.end());
      assertHarmless(text);
      assert.equal(text, sanitise(new TextDecoder("utf-8", { ignoreBOM: true }).decode(whole)));
      const atOnce = createLineReader();
      assert.deepEqual(lines, [...atOnce.push(whole), ...atOnce.end()]);
      for (const line of lines) assertHarmless(line);
    }),
    { numRuns: 2000 },
  );
});

test("colours, letters of all scripts and tabs stay", () => {
  const text = "\x1b[1;38;2;255;0;0mloss\x1b[0m\t0.5 größer 損失 👩‍🚀";
  assert.equal(sanitise(text), text);
  assert.equal(withoutColour(text), "loss\t0.5 größer 損失 👩‍🚀");
});

test("what was a command is shown", () => {
  assert.equal(sanitiseWord("\x1b[\x1b[0mm"), "␛[m"); // taking one sequence out must not make another
  assert.equal(sanitise("\x1b]0;owned\x07"), "␛]0;owned␇");
  assert.equal(sanitise("a\u202eb"), "a<U+202E>b");
  assert.equal(sanitise("\u009b2J"), "<9B>2J");
});

test("a progress bar shows its last state, and one that never ends costs no memory", () => {
  const reader = createLineReader();
  const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);
  assert.deepEqual(reader.push(bytes("10%\r20%\r3")), []);
  assert.deepEqual(reader.push(bytes("0%\r\nnext\r\n")), ["30%", "next"]);
  const shown = reader.push(bytes(`${"x\r".repeat(LINE_MAX)}y`.repeat(3)));
  assert.deepEqual(shown, []);
  assert.deepEqual(reader.end(), ["y"]);
  const pieces = reader.push(bytes("z".repeat(LINE_MAX * 2 + 5)));
  assert.deepEqual(
    pieces.map((p) => p.length),
    [LINE_MAX, LINE_MAX],
  );
});
