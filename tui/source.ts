/** Where a viewer has things from: the controller's socket, or a recording that plays. Both answer the questions of cluster/viewer.ts. */

import type { Item, Request } from "../cluster/viewer.ts";

type WithoutId<R> = R extends Request ? Omit<R, "id"> : never;
export type Ask = WithoutId<Request>;

export type Source = {
  readonly ask: (request: Ask) => Promise<unknown>;
  readonly stream: (request: Ask, cancelled?: AbortSignal) => AsyncGenerator<Item, unknown, void>;
  readonly close: () => void;
};
