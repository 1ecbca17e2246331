/** Which row of a list is chosen, by its key and not by its place, and which part of the list is seen. */

import type { ActionId } from "../../keys.ts";

export type Picker = {
  /** Where the chosen one is now; -1: the list is empty. */
  readonly at: (keys: readonly string[]) => number;
  readonly choose: (key: string) => void;
  /** As at the beginning: the first. */
  readonly reset: () => void;
  /** The first row that is seen when `rows` fit. */
  readonly top: (keys: readonly string[], rows: number) => number;
  /** false: it is no way to move. */
  readonly move: (action: ActionId, keys: readonly string[], page: number) => boolean;
};

export function createPicker(): Picker {
  let chosen: string | null = null;
  let index = 0;
  let first = 0;

  const at = (keys: readonly string[]): number => {
    if (keys[index] !== chosen || chosen === null) {
      const found = chosen === null ? -1 : keys.indexOf(chosen);
      // One that is gone leaves the choice at its place.
      index = found >= 0 ? found : Math.max(0, Math.min(index, keys.length - 1));
      chosen = keys[index] ?? null;
    }
    return chosen === null ? -1 : index;
  };
  const go = (keys: readonly string[], to: number): void => {
    index = Math.max(0, Math.min(to, keys.length - 1));
    chosen = keys[index] ?? null;
  };

  return {
    at,
    choose: (key) => {
      chosen = key;
    },
    reset: () => {
      chosen = null;
      index = 0;
    },
    top: (keys, rows) => {
      const now = Math.max(0, at(keys));
      if (now < first) first = now;
      if (now >= first + rows) first = now - rows + 1;
      first = Math.max(0, Math.min(first, keys.length - rows));
      return first;
    },
    move: (action, keys, page) => {
      const now = Math.max(0, at(keys));
      const step = { up: -1, down: 1, "page-up": -page, "page-down": page, first: -keys.length, last: keys.length }[action as string];
      if (step === undefined) return false;
      go(keys, now + step);
      return true;
    },
  };
}
