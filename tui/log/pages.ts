/** Stored lines of a run in pages, so that a screen reads back to the first byte and holds only what is near. */

import type { LogPage, LogQuery } from "../../cluster/viewer.ts";

/** What `logs` is asked for with `page`. */
export type PageQuery = LogQuery & { readonly page: NonNullable<LogQuery["page"]> };

export type LogPages = {
  /**
   * Calls `sink` once, later, with a page or with why there is none; whoever lends this draws again after that.
   * Returns how to want it no more.
   */
  readonly ask: (run: string, want: PageQuery, sink: (answer: LogPage | { readonly problem: string }) => void) => () => void;
};
