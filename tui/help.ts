/** The help: what can be done on this screen, then everywhere, from the table of keys. */

import { chordWord, keyOf } from "./keymap.ts";
import { type ActionId, KEYS } from "./keys.ts";
import { type Line, line, span } from "./line.ts";
import { PALETTE_WORDS } from "./palette.ts";
import type { Screen } from "./screen.ts";

const ACTIONS = Object.keys(KEYS) as ActionId[];

const SEEK: readonly Line[] = [[span("   :seek WHEN    ", "title"), span("to 1:30, +30, -1:00, 40%, crash or end")]];

export function helpLines(screen: Screen, isReadonly: boolean, isReplay = false): readonly Line[] {
  const here = ACTIONS.filter((action) => keyOf(action).on?.includes(screen.id) === true);
  const everywhere = ACTIONS.filter((action) => keyOf(action).on === undefined && keyOf(action).isReplay === undefined);
  const moving = isReplay ? ACTIONS.filter((action) => keyOf(action).isReplay === true) : [];
  const row = (action: ActionId): Line => {
    const { chords, help, isActing } = keyOf(action);
    const isOff = isReadonly && isActing === true;
    return [
      span(`   ${chords.map(chordWord).join(" ").padEnd(14)}`, isOff ? "dim" : "title"),
      span(isOff ? `${help} (not with --readonly)` : help, isOff ? "dim" : "plain"),
    ];
  };
  return [
    ...(here.length === 0 ? [] : [line(` On ${screen.title}`, "accent"), ...here.map(row), line("")]),
    ...(moving.length === 0 ? [] : [line(" In a recording", "accent"), ...moving.map(row), ...SEEK, line("")]),
    line(" Everywhere", "accent"),
    ...everywhere.map(row),
    line(""),
    line(" Commands, after :  (tab completes)", "accent"),
    ...PALETTE_WORDS.map(([word, about]): Line => [span(`   ${word.padEnd(14)}`, "title"), span(about)]),
  ];
}
