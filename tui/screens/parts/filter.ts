/** Rows that are kept by a regular expression; with ! before it, the others. */

import type { Wish } from "../../screen.ts";

export type Filter = { readonly text: string; readonly keeps: (row: string) => boolean };

export const NO_FILTER: Filter = { text: "", keeps: () => true };

function filterOf(text: string): Filter | null {
  const isInverse = text.startsWith("!");
  const source = isInverse ? text.slice(1) : text;
  if (source.trim() === "") return NO_FILTER;
  try {
    const pattern = new RegExp(source, "i");
    return { text, keeps: (row) => pattern.test(row) !== isInverse };
  } catch {
    return null;
  }
}

export const askFilter = (now: Filter, set: (filter: Filter) => void): Wish => ({
  do: "type",
  label: "/",
  initial: now.text,
  check: (text) => (filterOf(text) === null ? "that is no regular expression" : null),
  next: (text) => {
    set(filterOf(text) ?? NO_FILTER);
    return { do: "nothing" };
  },
});
