/** Which run a person means: an id, the unique beginning of one, a name, or `latest`. Pure. */

import { fail } from "../../cluster/errors.ts";
import type { RunSummary } from "../../cluster/viewer.ts";

const newest = (runs: readonly RunSummary[]): RunSummary | undefined => [...runs].sort((a, b) => b.requestedAt - a.requestedAt || (a.run < b.run ? 1 : -1))[0];

/** `file`: only runs of this cluster file count, the one named with -c. Errors: NO_RUN, USAGE when several fit. */
export function pickRun(all: readonly RunSummary[], wanted: string | undefined, file: string | null): RunSummary {
  const runs = file === null ? all : all.filter((r) => r.file === file);
  if (wanted === undefined || wanted === "latest") {
    // One that waits for GPUs has nothing to show; where another is at work, that is meant.
    const last = newest(runs);
    const atWork = newest(runs.filter((r) => r.endedAt === null && r.waitsFor === undefined));
    const latest = wanted === undefined && last?.waitsFor !== undefined ? (atWork ?? last) : last;
    if (latest === undefined) throw fail("NO_RUN", { run: file === null || all.length === 0 ? "yet" : `of ${file}` });
    return latest;
  }
  const exact = all.find((r) => r.run === wanted);
  if (exact !== undefined) return exact;
  const named = newest(runs.filter((r) => r.name === wanted));
  if (named !== undefined) return named;
  const begun = runs.filter((r) => r.run.startsWith(wanted));
  if (begun.length > 1) throw fail("USAGE", { what: `${wanted} may be ${begun.map((r) => r.run).join(" or ")}`, fix: `nexadist status ${begun[0]?.run}` });
  const [only] = begun;
  if (only === undefined) throw fail("NO_RUN", { run: wanted });
  return only;
}

/** The one that a bare `stop` or `restart` is about: it takes no guess. Errors: NO_RUN, USAGE that lists them when several are alive. */
export function pickLive(all: readonly RunSummary[], wanted: string | undefined, file: string | null, command: "stop" | "restart"): RunSummary {
  const live = all.filter((r) => r.endedAt === null && (file === null || r.file === file));
  if (wanted !== undefined || live.length === 0) return pickRun(all, wanted, file);
  const [only, ...others] = live;
  if (only !== undefined && others.length === 0) return only;
  const commands = [...live].sort((a, b) => b.requestedAt - a.requestedAt).map((r) => `nexadist ${command} ${r.run}`);
  throw fail("USAGE", { what: `${live.length} runs are alive; which one is to ${command}?`, fix: commands.join("\n") });
}
