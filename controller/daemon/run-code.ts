/** The code of a run that travels: read when the run is asked for, and found the same after a restart. */

import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { cacheDir, stateDir } from "../paths.ts";
import { type Snapshot, takeSnapshot } from "../sync/snapshot.ts";

export function snapshotOf(spec: RunSpec): Promise<Snapshot | null> {
  if (spec.code.kind !== "snapshot") return Promise.resolve(null);
  const mustHold = spec.job.kind === "script" ? [spec.job.script] : [];
  const ours = [stateDir(), cacheDir()].map((path) => ({ path, why: "it is nexadist's own" }));
  const named = (spec.code.keepOut ?? []).map((path) => ({ path, why: "the cluster file names it as secret" }));
  return takeSnapshot(spec.code.root, { cacheFile: join(cacheDir(), "hashes.json"), mustHold, keptOut: [...ours, ...named] });
}

export const codeTaken = (snapshot: Snapshot, at: number): RunEvent => ({
  at,
  type: "code-taken",
  tree: snapshot.tree,
  files: snapshot.entries.length,
  bytes: snapshot.totalBytes,
  notes: snapshot.notes.slice(0, 50),
});

/** Read again at most once; another than the one that some hosts may have would make ranks that differ. Errors: CODE_MOVED. */
export function sameSnapshot(state: RunState): () => Promise<Snapshot | null> {
  let taken: Promise<Snapshot | null> | undefined;
  const take = async (): Promise<Snapshot | null> => {
    const snapshot = await snapshotOf(state.spec);
    if (snapshot !== null && snapshot.tree !== state.tree) throw fail("CODE_MOVED", { root: snapshot.root, run: state.spec.run });
    return snapshot;
  };
  return () => {
    taken ??= take();
    return taken;
  };
}
