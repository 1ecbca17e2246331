/** docs/tui.md: the keys and commands of the table that handles them, and pictures of what is drawn. */

import { chordWord, keyOf } from "../../tui/keymap.ts";
import { type ActionId, KEYS } from "../../tui/keys.ts";
import { PALETTE_WORDS } from "../../tui/palette.ts";
import { cell, table } from "./markdown.ts";
import { PICTURES } from "./pictures.ts";

const code = (text: string): string => `\`${text}\``;
const ACTIONS = Object.keys(KEYS) as ActionId[];

export const renderKeys = (): string =>
  [
    table(
      ["Key", "On", "What it does"],
      ACTIONS.map((action) => {
        const { chords, help, on, isActing, isReplay } = keyOf(action);
        return [
          chords.map((chord) => (chord === "|" ? code("\\|") : code(chordWord(chord)))).join(" "),
          isReplay === true ? "a recording" : on === undefined ? "everywhere" : on.join(", "),
          `${cell(help)}${isActing === true ? " (not with `--readonly`)" : ""}`,
        ];
      }),
    ),
    "",
    "After `:`, words may be cut short and tab completes them:",
    "",
    table(
      ["Command", "What it does"],
      PALETTE_WORDS.map(([words, about]) => [code(words), cell(about)]),
    ),
  ].join("\n");

export const renderPictures = (): string => PICTURES.map(({ name, about }) => `${about}:\n\n![${about}](tui/${name}.svg)`).join("\n\n");
