/** `status`: one run as it stands. */

import { statusLines } from "../../cluster/view/status.ts";
import type { Run } from "./commands.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { findRun, readRun } from "./known-run.ts";

export const status: Run = async (context, [wanted]) => {
  const client = await findOrStartDaemon();
  const { run } = await findRun(client, context, wanted);
  const { state, dir } = await readRun(client, run);
  if (context.json) context.printJson({ run, dir, state });
  else for (const line of [...statusLines(state, Date.now()), "", `journal, plan and logs: ${dir}`]) context.print(line);
  return 0;
};
