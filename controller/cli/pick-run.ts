/** Which run a person means: an id, the unique beginning of one, a name, or `latest`. Pure. */

import { fail } from "../../cluster/errors.ts";
import type { RunSummary } from "../../cluster/viewer.ts";

const newest = (runs: readonly RunSummary[]): RunSummary | undefined => [...runs].sort((a, b) => b.requestedAt - a.requestedAt || (a.run < b.run ? 1 : -1))[0];

/** `latest` prefers what is alive, then the runs of `file`, the cluster file here (null: none here). Errors: NO_RUN, USAGE when several fit. */
export function pickRun(runs: readonly RunSummary[], wanted: string | undefined, file: string | null): RunSummary {
  if (wanted === undefined || wanted === "latest") {
    const live = runs.filter((r) => r.endedAt === null);
    const near = (some: readonly RunSummary[]): RunSummary | undefined => newest(some.filter((r) => file !== null && r.file === file)) ?? newest(some);
    const latest = near(live) ?? near(runs);
    if (latest === undefined) throw fail("NO_RUN", { run: "yet" });
    return latest;
  }
  const exact = runs.find((r) => r.run === wanted);
  if (exact !== undefined) return exact;
  const named = newest(runs.filter((r) => r.name === wanted));
  if (named !== undefined) return named;
  const begun = runs.filter((r) => r.run.startsWith(wanted));
  if (begun.length > 1) throw fail("USAGE", { what: `${wanted} may be ${begun.map((r) => r.run).join(" or ")}`, fix: `nexadist status ${begun[0]?.run}` });
  const [only] = begun;
  if (only === undefined) throw fail("NO_RUN", { run: wanted });
  return only;
}
