/** Checks times probes to results. Pure; a judge that throws is an error of that check, and a host that was not reached is one red line. */

import type { Problem } from "../errors.ts";
import type { HostSpec } from "../spec.ts";
import type { Check, ClusterCheck, DiagContext, HostCheck, HostProbe, Judgement, PairCheck, PairProbe, Result } from "./check.ts";
import { CannotSay } from "./read.ts";
import { unlessUsed } from "./unused-gpu.ts";

/** What came of looking at a host. */
export type Look = { readonly host: HostSpec; readonly probe: HostProbe } | { readonly host: HostSpec; readonly problem: Problem };

const hasProbe = (look: Look): look is Extract<Look, { probe: HostProbe }> => "probe" in look;

/** Which check a failure to reach a host belongs to; all else is ssh.reachable. */
const CHECK_OF: Readonly<Record<string, string>> = {
  AUTH_FAILED: "ssh.auth",
  HOST_KEY_UNKNOWN: "ssh.hostkey",
  HOST_KEY_CHANGED: "ssh.hostkey",
  HOST_KEY_REVOKED: "ssh.hostkey",
  NO_PYTHON: "host.python",
  SSH_CHANNEL: "ssh.session",
  HELPER_SILENT: "ssh.session",
  HELPER_TIMEOUT: "ssh.session",
};

function judgementOf(act: () => readonly Judgement[] | Judgement): readonly Judgement[] {
  try {
    return [act()].flat();
  } catch (thrown) {
    if (thrown instanceof CannotSay) return [{ status: thrown.status, observed: thrown.message }];
    return [{ status: "error", observed: `the check itself failed: ${thrown instanceof Error ? thrown.message : String(thrown)}` }];
  }
}

/** Each after those it needs. */
export function inOrder<T extends Check>(checks: readonly T[]): readonly T[] {
  const done = new Set<string>();
  const ordered: T[] = [];
  const known = new Map(checks.map((check) => [check.id, check]));
  const take = (check: T): void => {
    if (done.has(check.id)) return;
    done.add(check.id);
    for (const need of [...check.needs, ...(check.unlessFailed ?? [])]) {
      const needed = known.get(need);
      if (needed !== undefined) take(needed);
    }
    ordered.push(check);
  };
  for (const check of checks) take(check);
  return ordered;
}

/** Results as they come: what failed, was skipped or in error keeps those that need it from a word. */
export class Ledger {
  readonly #results: Result[] = [];
  readonly #bad = new Map<string, string>();

  add(result: Result): void {
    this.#results.push(result);
    if (result.status !== "pass" && result.status !== "warn") this.#bad.set(`${result.id} ${result.host ?? ""}`, result.status);
  }

  /** Why a check is not for this host; null: it is. */
  missing(check: Check, host: string): string | null {
    const statusOf = (id: string): string | undefined => this.#bad.get(`${id} ${host}`);
    const need = check.needs.find((id) => statusOf(id) !== undefined) ?? check.unlessFailed?.find((id) => statusOf(id) === "fail");
    return need === undefined ? null : `needs ${need}, which ${statusOf(need) === "fail" ? "failed" : "could not be looked at"}`;
  }

  get results(): readonly Result[] {
    return this.#results;
  }
}

type Tell = (result: Result) => void;
const nobody: Tell = () => undefined;

/** Checks of hosts and of the cluster. `tell` is told each result. */
export function judgeHosts(
  checks: readonly Check[],
  looks: readonly Look[],
  context: DiagContext,
  ledger = new Ledger(),
  tell: Tell = nobody,
): readonly Result[] {
  for (const look of looks) judgeLook(checks, look, context, ledger, tell);
  judgeAcross(checks, looks, context, ledger, tell);
  return ledger.results;
}

/** All that concerns one host alone; a host that was not reached is one failure, and everything else is not looked at. */
export function judgeLook(checks: readonly Check[], look: Look, context: DiagContext, ledger: Ledger, tell: Tell): void {
  const add = adder(ledger, tell);
  const { name } = look.host;
  if (!hasProbe(look)) {
    const first = notReached(look.host, look.problem);
    add(first);
    for (const { id, scope } of checks) if (scope !== "pair" && id !== first.id) add({ id, host: name, status: "skip", observed: NOT_REACHED });
    return;
  }
  for (const check of inOrder(checks)) {
    if (check.scope !== "host") continue;
    const why = ledger.missing(check, name);
    if (why !== null) add({ id: check.id, host: name, status: "skip", observed: why });
    else for (const result of judgeHost(check, look, context)) add(result);
  }
}

/** What compares the hosts, when all are known. */
export function judgeAcross(checks: readonly Check[], looks: readonly Look[], context: DiagContext, ledger: Ledger, tell: Tell): void {
  const add = adder(ledger, tell);
  for (const check of inOrder(checks)) {
    if (check.scope !== "cluster") continue;
    const ready: HostProbe[] = [];
    for (const { host, probe } of looks.filter(hasProbe)) {
      const why = ledger.missing(check, host.name);
      if (why !== null) add({ id: check.id, host: host.name, status: "skip", observed: why });
      else ready.push(probe);
    }
    for (const result of judgeCluster(check, ready, context)) add(result);
  }
}

const adder =
  (ledger: Ledger, tell: Tell): Tell =>
  (result) => {
    ledger.add(result);
    tell(result);
  };

export const NOT_REACHED = "the host was not reached";

function notReached(host: HostSpec, { code, message, hint }: Problem): Result {
  const words = { fix: hint.split("\n")[0] ?? "", code };
  // The line names the host already.
  const [observed = ""] = message.split("\n");
  const prefix = `${host.name}: `;
  return {
    id: CHECK_OF[code] ?? "ssh.reachable",
    host: host.name,
    status: "fail",
    observed: observed.startsWith(prefix) ? observed.slice(prefix.length) : observed,
    words,
  };
}

function judgeHost(check: HostCheck, { host, probe }: { readonly host: HostSpec; readonly probe: HostProbe }, context: DiagContext): readonly Result[] {
  const said = judgementOf(() => check.judge(probe, host, context));
  const whole: readonly Judgement[] = said.length > 0 ? said : [{ status: "error", observed: "the check said nothing" }];
  return whole.map((judgement) => ({ ...unlessUsed(host, judgement), id: check.id, host: host.name }));
}

/** Hosts that the judge does not speak of pass, as long as it spoke at all or had nothing to object. */
function judgeCluster(check: ClusterCheck, probes: readonly HostProbe[], context: DiagContext): readonly Result[] {
  if (probes.length === 0) return [];
  let spoken: readonly (Judgement & { readonly host: string })[] = [];
  const [problem] = judgementOf(() => {
    spoken = check.judge(probes, context);
    return [];
  });
  if (problem !== undefined) return [{ ...problem, id: check.id, host: null }];
  const named = new Set(spoken.map((each) => each.host));
  const rest = probes.filter((probe) => !named.has(probe.host));
  return [
    ...spoken.map((judgement) => ({ ...judgement, id: check.id })),
    ...rest.map((probe): Result => ({ id: check.id, host: probe.host, status: "pass", observed: "as most hosts" })),
  ];
}

export function judgePairs(checks: readonly PairCheck[], pairs: readonly PairProbe[], context: DiagContext): readonly Result[] {
  return checks.flatMap((check): readonly Result[] => {
    let spoken: readonly Result[] = [];
    const [problem] = judgementOf(() => {
      spoken = check.judge(pairs, context).map((judgement) => ({ ...judgement, id: check.id }));
      return [];
    });
    if (problem !== undefined) return [{ ...problem, id: check.id, host: null }];
    return spoken;
  });
}
