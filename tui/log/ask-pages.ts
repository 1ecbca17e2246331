/** Pages of stored lines from where the viewer has everything from. */

import type { LogPage } from "../../cluster/viewer.ts";
import type { Source } from "../source.ts";
import type { LogPages } from "./pages.ts";

/** `changed`: draw again. */
export function createLogPages(ask: Source["ask"], changed: () => void): LogPages {
  return {
    ask: (run, want, sink) => {
      let isWanted = true;
      const take = (answer: Parameters<typeof sink>[0]): void => {
        if (!isWanted) return;
        sink(answer);
        changed();
      };
      ask({ ask: "logs", run, want }).then(
        // An older controller, or recording, does not know pages.
        (answer) => take((answer as LogPage | null) ?? { problem: "the controller does not give stored lines by the page: it is older than this program" }),
        (error: unknown) => take({ problem: error instanceof Error ? error.message : String(error) }),
      );
      return () => {
        isWanted = false;
      };
    },
  };
}
