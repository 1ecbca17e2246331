/** Where a viewer has things from: the controller's socket, or a recording that plays. Both answer the questions of cluster/viewer.ts. */

import type { Item, Request } from "../cluster/viewer.ts";

type WithoutId<R> = R extends Request ? Omit<R, "id"> : never;
export type Ask = WithoutId<Request>;

export type Source = {
  readonly ask: (request: Ask) => Promise<unknown>;
  readonly stream: (request: Ask, cancelled?: AbortSignal) => AsyncGenerator<Item, unknown, void>;
  readonly close: () => void;
  /** Of a recording. */
  readonly replay?: ReplayControl;
};

/** Times are ms since epoch, as in the recording. Moved back, all its streams end with REPLAY_MOVED: begin anew, with nothing told yet. */
export type ReplayControl = {
  readonly from: number;
  readonly to: number;
  /** When the first thing went wrong; null: nothing did. */
  readonly crashAt: number | null;
  readonly position: () => number;
  readonly speed: () => number;
  /** 0: it stands. */
  readonly setSpeed: (speed: number) => void;
  readonly seek: (at: number) => void;
};
