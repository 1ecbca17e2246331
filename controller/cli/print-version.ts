/** `version` with other global options around it; the plain form is answered by entry.ts. */

import type { Run } from "./commands.ts";
import { version } from "./version.ts";

export const printVersion: Run = async (context) => {
  if (context.json) context.printJson({ version: version() });
  else context.print(version());
  return 0;
};
