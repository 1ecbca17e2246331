/** What stands before the screen and takes the keys: something to read, a line to type, a question. Each answers keys with what comes of it. */

import type { Line } from "./line.ts";
import type { Model } from "./model.ts";
import type { View, Wish } from "./screen.ts";

export type Overlay = {
  readonly kind: "overlay";
  readonly title: string;
  readonly lines: (model: Model, view: View) => readonly Line[];
  readonly from: number;
};
export type Typing = {
  readonly kind: "type";
  readonly label: string;
  readonly text: string;
  readonly problem: string | null;
  readonly check: (text: string) => string | null;
  readonly next: (text: string) => Wish;
  /** What tab makes of it; absent: nothing. */
  readonly complete?: (text: string) => { readonly text: string; readonly choices: readonly string[] };
  readonly choices: readonly string[];
};
export type Confirming = {
  readonly kind: "confirm";
  readonly title: string;
  readonly lines: readonly Line[];
  readonly word: string | null;
  readonly typed: string;
  readonly next: () => Wish;
};
export type Leaving = { readonly kind: "leave" };
export type Modal = Overlay | Typing | Confirming | Leaving;

/** next: it stands, changed. done: it is gone, and this is wanted. */
export type Answered = { readonly next: Modal } | { readonly done: Wish };

const NOTHING: Wish = { do: "nothing" };
const CLOSED: Answered = { done: NOTHING };

export function answerOverlay(overlay: Overlay, chord: string, model: Model, view: View): Answered {
  const count = overlay.lines(model, view).length;
  const last = Math.max(0, count - view.rows);
  const to = (from: number): Answered => ({ next: { ...overlay, from: Math.max(0, Math.min(last, from)) } });
  switch (chord) {
    case "esc":
    case "q":
    case "enter":
      return CLOSED;
    case "ctrl-c":
      return { done: { do: "leave" } };
    case "j":
    case "down":
      return to(overlay.from + 1);
    case "k":
    case "up":
      return to(overlay.from - 1);
    case "pagedown":
    case "ctrl-d":
    case "space":
      return to(overlay.from + view.rows - 1);
    case "pageup":
    case "ctrl-u":
      return to(overlay.from - view.rows + 1);
    case "g":
    case "home":
      return to(0);
    case "G":
    case "end":
      return to(last);
    default:
      return { next: overlay };
  }
}

export function answerTyping(typing: Typing, chord: string, typed: string): Answered {
  if (chord === "esc" || chord === "ctrl-c") return CLOSED;
  if (chord === "enter") {
    const problem = typing.check(typing.text);
    return problem === null ? { done: typing.next(typing.text) } : { next: { ...typing, problem } };
  }
  if (chord === "tab" && typing.complete !== undefined) {
    const { text, choices } = typing.complete(typing.text);
    return { next: { ...typing, text, choices, problem: null } };
  }
  const text = edited(typing.text, chord, typed);
  return { next: { ...typing, text, problem: null, choices: text === typing.text ? typing.choices : [] } };
}

export function answerConfirming(asked: Confirming, chord: string, typed: string): Answered {
  if (chord === "esc" || chord === "ctrl-c") return CLOSED;
  if (asked.word === null) return chord === "y" || chord === "Y" ? { done: asked.next() } : chord === "n" || chord === "N" ? CLOSED : { next: asked };
  if (chord === "enter") return asked.typed === asked.word ? { done: asked.next() } : { next: asked };
  return { next: { ...asked, typed: edited(asked.typed, chord, typed) } };
}

function edited(text: string, chord: string, typed: string): string {
  if (chord === "backspace") return [...text].slice(0, -1).join("");
  if (chord === "ctrl-u") return "";
  if (chord === "ctrl-w") return text.replace(/\S*\s*$/, "");
  return text + typed;
}
