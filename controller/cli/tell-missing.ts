/** How commands over several hosts tell of those that failed, to a person and as JSON. */

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
      if (problem.hint !== "") process.stderr.write(`  try: ${sanitiseWord(problem.hint)}\n`);
    }
  }
  return missing.length > 0 ? EXIT.unreachable : EXIT.ok;
}

export const hostsJson = (found: readonly Reached<object>[]): object => ({
  hosts: found.map((each) => ({ host: each.host.name, ...(each.ok ? each.value : { problem: each.problem }) })),
});
