/** Rings the terminal when the run that is shown takes a turn: what was before it was shown is no news. */

import { bellOf } from "../cluster/notify/bell.ts";
import type { RunFold } from "./run-fold.ts";
import type { Store } from "./store.ts";

export function ringFor(
  store: Pick<Store, "fold" | "now" | "subscribe">,
  env: Readonly<Record<string, string | undefined>>,
  write: (bytes: string) => void,
): void {
  let shown: RunFold | null = null;
  let since = 0;
  let last = "";
  store.subscribe(() => {
    const fold = store.fold();
    if (fold !== shown) since = store.now();
    shown = fold;
    const notice = fold?.notice() ?? null;
    if (notice === null || notice.id === last || notice.at < since) return;
    last = notice.id;
    write(bellOf(notice, env));
  });
}
