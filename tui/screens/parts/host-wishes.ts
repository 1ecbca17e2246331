/** What a person may want of one host. */

import type { RunModel } from "../../model.ts";
import type { Wish } from "../../screen.ts";

/** The file names how the host is reached. */
export const shellOn = ({ state }: RunModel, host: string): Wish => ({
  do: "hand-over",
  argv: ["nexadist", "shell", ...(state.spec.file === null ? [] : ["-c", state.spec.file]), host],
  doing: `a shell on ${host}; exit comes back`,
});
