/** Tells a run what its hosts' samples show: each finding once when it has lasted, and once when it is over. */

import { presentFindings } from "../../cluster/run/findings.ts";
import type { RankTimes } from "../../cluster/telemetry/about.ts";
import { watchFindings } from "../../cluster/telemetry/findings.ts";
import type { Driver } from "./driver-deps.ts";
import type { Stored } from "./telemetry/tiers.ts";

export function findInSamples(driver: () => Pick<Driver, "state" | "pace" | "apply">): (host: string, stored: Stored) => void {
  let attempt = 0;
  let watch = watchFindings();
  return (host, { at, sample }) => {
    const { state, pace, apply } = driver();
    const now = state();
    if (now.phase !== "running") return;
    if (now.attempt !== attempt) watch = watchFindings(presentFindings(now));
    attempt = now.attempt;
    const steps = pace();
    const run = { state: now, pace: steps?.pace() ?? null, now: Date.now() };
    const times = (): RankTimes => ({ busyMs: steps?.busyMs() ?? new Map(), stepMs: steps?.stepMs() ?? new Map() });
    for (const finding of watch.sample(host, sample, at, run, times)) apply({ at: run.now, type: "finding", attempt, finding });
  };
}
