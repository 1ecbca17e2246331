/** The gate before a launch: the quick checks of diag over the links that are there, while the hosts are being prepared. */

import { checkOf } from "../../cluster/diag/catalogue.ts";
import type { Check, Result } from "../../cluster/diag/check.ts";
import { findingOf, NOWHERE, type Place } from "../../cluster/diag/report.ts";
import { fail } from "../../cluster/errors.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { PreflightFinding } from "../../cluster/run/preflight.ts";
import { quickLook } from "../diag/quick-look.ts";
import type { RecoveryDeps } from "./recovery.ts";

const MANY = 60;
const WORDS_MAX = 600;
/** How much a run is going to write nobody knows before it does; of GPUs claims decide, which may be waited for. */
const UNSURE: ReadonlySet<string> = new Set(["disk.space", "gpu.busy"]);

/** Errors: LINK_LOST while a host has no link: it is tried again. */
export async function lookFirst({ state, linked, now, conceal }: RecoveryDeps, names: readonly string[]): Promise<RunEvent> {
  const hosts = state.spec.hosts.filter(({ name }) => names.includes(name));
  const reached = hosts.map((host) => {
    const found = linked(host.name);
    if (found === null) throw fail("LINK_LOST", { host: host.name, why: "it is not linked now" });
    return { host, transport: found.transport, facts: found.facts };
  });
  const { scratch: _, ...paths } = state.spec.paths; // a run takes another place where that one cannot be had
  const results = await quickLook(reached, { ...state.spec, paths }, now());
  return { at: now(), type: "preflight-done", findings: findingsOf(results, conceal, state.spec) };
}

/** What is not good; alike on several hosts is one. */
export function findingsOf(results: readonly Result[], conceal: (text: string) => string, place: Place = NOWHERE): readonly PreflightFinding[] {
  const found = new Map<string, PreflightFinding>();
  for (const result of results) {
    const check = checkOf(result.id);
    const status = check === null ? "skip" : statusOf(check, result);
    if (check === null || status === "pass" || status === "skip") continue;
    const { id, title, observed, fix } = findingOf(check, result, place);
    const hosts = [result.host, result.peer].filter((name): name is string => typeof name === "string");
    const key = `${id} ${status} ${observed}`;
    const known = found.get(key);
    const words = (text: string): string => conceal(text).slice(0, WORDS_MAX);
    found.set(
      key,
      known === undefined
        ? { id, title, status, hosts, observed: words(observed), fix: words(fix), isBlocking: check.isBlocking && !UNSURE.has(id) }
        : { ...known, hosts: [...known.hosts, ...hosts], fix: words(known.fix === fix ? fix : `${known.fix}\n${fix}`) },
    );
  }
  const order = { fail: 0, error: 1, warn: 2 } as const;
  return [...found.values()].toSorted((a, b) => order[a.status] - order[b.status]).slice(0, MANY);
}

/** That a host cannot be looked at now says nothing against it: its agent answers, or the run waits for it. */
const statusOf = (check: Check, { status }: Result): Result["status"] => (status === "fail" && check.group === "access" ? "error" : status);
