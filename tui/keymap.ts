/** From what a terminal sends to an action of the table, by where the person is. */

import { type ActionId, KEYS, type Key } from "./keys.ts";
import type { ScreenId } from "./screen.ts";

const ACTIONS = Object.entries(KEYS) as [ActionId, Key][];

/** null: it means nothing there. */
export const actionOf = (chord: string, screen: ScreenId): ActionId | null =>
  ACTIONS.find(([, { chords, on }]) => chords.includes(chord) && (on === undefined || on.includes(screen)))?.[0] ?? null;

export const keyOf = (action: ActionId): Key => KEYS[action];

const CHORD_WORDS: Readonly<Record<string, string>> = {
  pageup: "pgup",
  pagedown: "pgdn",
  "ctrl-c": "^C",
  "ctrl-l": "^L",
  "ctrl-z": "^Z",
  "ctrl-u": "^U",
  "ctrl-d": "^D",
};
export const chordWord = (chord: string): string => CHORD_WORDS[chord] ?? chord;

/** As Ink tells a key. */
type Pressed = {
  readonly upArrow: boolean;
  readonly downArrow: boolean;
  readonly leftArrow: boolean;
  readonly rightArrow: boolean;
  readonly pageUp: boolean;
  readonly pageDown: boolean;
  readonly home: boolean;
  readonly end: boolean;
  readonly return: boolean;
  readonly escape: boolean;
  readonly tab: boolean;
  readonly backspace: boolean;
  readonly delete: boolean;
  readonly ctrl: boolean;
  readonly shift: boolean;
  readonly meta: boolean;
};

/** Several where keys were typed faster than they were read. */
export function chordsOf(input: string, key: Pressed): readonly string[] {
  if (key.upArrow) return ["up"];
  if (key.downArrow) return ["down"];
  if (key.leftArrow) return ["left"];
  if (key.rightArrow) return ["right"];
  if (key.pageUp) return ["pageup"];
  if (key.pageDown) return ["pagedown"];
  if (key.home) return ["home"];
  if (key.end) return ["end"];
  if (key.return) return ["enter"];
  if (key.escape) return ["esc"];
  if (key.tab) return [key.shift ? "shift-tab" : "tab"];
  if (key.backspace || key.delete) return ["backspace"];
  if (key.ctrl) return [`ctrl-${input}`];
  if (key.meta) return [];
  return [...input].map((char) => NAMED[char] ?? char);
}

const NAMED: Readonly<Record<string, string>> = { "\r": "enter", "\n": "enter", "\t": "tab", " ": "space", "\u001b": "esc" };

/** What a chord types in a prompt; "": nothing. */
export const typedOf = (chord: string): string => (chord === "space" ? " " : [...chord].length === 1 ? chord : "");
