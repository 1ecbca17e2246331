/** How commands over several hosts tell of those that failed, to a person and as JSON. */

import { withFile } from "../../cluster/diag/with-file.ts";
import { EXIT } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import type { Context } from "./context.ts";
import type { Reached } from "./reach-host.ts";

/** Gives the exit status. */
export function tellMissing(context: Context, found: readonly Reached<unknown>[]): number {
  const missing = found.flatMap((each) => (each.ok ? [] : [each]));
  if (!context.json) {
    for (const { host, problem } of missing) {
      process.stderr.write(`${aboutHost(host.name, problem.message)}\n`);
      if (problem.hint !== "") process.stderr.write(`  try: ${sanitiseWord(withFile(problem.hint, context.named))}\n`);
    }
  }
  // One kind of refusal keeps its status; where they differ, what was asked for is not known of all hosts.
  const exits = new Set(missing.map(({ problem }) => problem.exit));
  return exits.size === 0 ? EXIT.ok : exits.size === 1 ? ([...exits][0] ?? EXIT.unreachable) : EXIT.unreachable;
}

export const hostsJson = (found: readonly Reached<object>[]): object => ({
  hosts: found.map((each) => ({ host: each.host.name, ...(each.ok ? each.value : { problem: each.problem }) })),
});
