/** What a screen is to the shell around it: it draws rows from the model, and answers actions with what should be done. Its own state (selection, scroll, filter) is its own. */

import type { ActionId } from "./keys.ts";
import type { Line } from "./line.ts";
import type { Model } from "./model.ts";
import type { Ask } from "./source.ts";

export type ScreenId = "overview" | "logs" | "gpus" | "ranks" | "nccl" | "events" | "runs";

/** Where and how it draws: columns and rows are its own area, without the header and footer of the shell. */
export type View = {
  readonly columns: number;
  readonly rows: number;
  /** No character outside ASCII. */
  readonly isAscii: boolean;
};

/** What a screen wants of the shell. */
export type Wish =
  | { readonly do: "nothing" }
  /** `host`, `rank`, `word`: what it should show there. */
  | { readonly do: "open"; readonly screen: ScreenId; readonly host?: string; readonly rank?: number; readonly word?: string }
  /** Read with the arrows, left with escape. */
  | { readonly do: "overlay"; readonly title: string; readonly lines: (model: Model, view: View) => readonly Line[] }
  /** One line of text. `check` gives what is wrong with it, or null; `next` takes what was typed. */
  | {
      readonly do: "type";
      readonly label: string;
      readonly initial: string;
      readonly check: (text: string) => string | null;
      readonly next: (text: string) => Wish;
    }
  /** `word`: what must be typed; null: y. */
  | { readonly do: "confirm"; readonly title: string; readonly lines: readonly Line[]; readonly word: string | null; readonly next: () => Wish }
  /** To the controller; what it answers with, or its problem, is told in the footer. */
  | { readonly do: "ask"; readonly ask: Ask; readonly doing: string; readonly done: string }
  /** The answer opens as an overlay. */
  | { readonly do: "ask-and-show"; readonly ask: Ask; readonly doing: string; readonly show: (answer: unknown) => Wish }
  /** Gives the terminal to another program, and comes back. "nexadist" in front is a command of our own. `waits`: what it wrote is read before. */
  | { readonly do: "hand-over"; readonly argv: readonly string[]; readonly input?: string; readonly doing: string; readonly waits?: true }
  | { readonly do: "copy"; readonly text: string }
  | { readonly do: "say"; readonly text: string; readonly isBad?: boolean }
  /** Opens another run, here. */
  | { readonly do: "watch"; readonly run: string }
  | { readonly do: "leave" };

export type Screen = {
  readonly id: ScreenId;
  readonly title: string;
  /** Actions that the footer names, the most useful first. */
  readonly actions: readonly ActionId[];
  /** At most `view.rows` lines, each at most `view.columns` wide. */
  readonly draw: (model: Model, view: View) => readonly Line[];
  /** null: it is not for this screen. */
  readonly act: (action: ActionId, model: Model, view: View) => Wish | null;
  /** Asked by another screen, or the palette, to show a host or a rank; `word`: what else was typed there, such as a metric. */
  readonly show?: (what: { readonly host?: string; readonly rank?: number; readonly word?: string }, model: Model) => void;
};
