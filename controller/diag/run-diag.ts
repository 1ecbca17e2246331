/** One diagnosis: all hosts at once, then what compares them, then the links between them. Results are told as they are known. */

import { CHECKS, checkOf, GROUPS } from "../../cluster/diag/catalogue.ts";
import type { Check, DiagContext, PairProbe, Result, Tier } from "../../cluster/diag/check.ts";
import { judgeAcross, judgeLook, judgePairs, Ledger, type Look } from "../../cluster/diag/judge.ts";
import { toProblem } from "../../cluster/errors.ts";
import { withPeerAddress } from "../../cluster/launch/peer-address.ts";
import type { HostSpec, RunSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { numericAddresses } from "./addresses.ts";
import type { TrialRun } from "./distributed.ts";
import { isOfLinks, lookAtLinks } from "./links.ts";
import { probeHost } from "./probe-host.ts";
import { tryDistributed } from "./try-distributed.ts";

export type DiagDeps = {
  /** Dials a host; rejects as connectHost does. */
  readonly reach: (host: HostSpec) => Promise<Transport>;
  readonly now: () => number;
  readonly say: (text: string) => void;
  readonly onResult: (result: Result, check: Check) => void;
  /** Runs a trial through the controller; absent: none are made. */
  readonly runTrial?: (spec: RunSpec) => Promise<TrialRun>;
};

/** `only` and `skip`: ids, or groups. */
export type DiagWish = { readonly tier: Tier; readonly only: readonly string[]; readonly skip: readonly string[] };

export type Diagnosis = {
  readonly spec: RunSpec;
  readonly tier: Tier;
  readonly checks: readonly Check[];
  readonly results: readonly Result[];
  readonly looks: readonly Look[];
  readonly pairs: readonly PairProbe[];
  readonly at: number;
  readonly tookMs: number;
};

const TIERS: readonly Tier[] = ["quick", "full", "deep"];

const names = (check: Check, words: readonly string[]): boolean =>
  words.some((word) => word === check.id || word === check.group || check.id.startsWith(`${word}.`));

/** Of `--only` and `--skip`: those that name no check. */
export const unknownWords = (words: readonly string[]): readonly string[] =>
  words.filter((word) => !GROUPS.some((group) => group === word) && !CHECKS.some((check) => names(check, [word])));

/** Whether a host is reached is always looked at: without it nothing else means anything. */
export const chosen = ({ tier, only, skip }: DiagWish): readonly Check[] =>
  CHECKS.filter((check) => {
    if (check.group === "access" && check.isBlocking) return true;
    return TIERS.indexOf(check.tier) <= TIERS.indexOf(tier) && (only.length === 0 || names(check, only)) && !names(check, skip);
  });

export async function runDiag(spec: RunSpec, wish: DiagWish, deps: DiagDeps): Promise<Diagnosis> {
  const at = deps.now();
  const begun = performance.now();
  const checks = chosen(wish);
  const ledger = new Ledger();
  const tellOf = (result: Result): void => {
    const check = checkOf(result.id);
    if (check !== null) deps.onResult(result, check);
  };
  const open: { readonly host: HostSpec; readonly transport: Transport }[] = [];
  const look = async (host: HostSpec): Promise<Look> => {
    try {
      const dialled = performance.now();
      const transport = await deps.reach(host);
      open.push({ host, transport });
      const known = withPeerAddress(host, transport.address);
      return { host: known, probe: await probeHost(transport, host, spec, { tier: wish.tier, connectMs: performance.now() - dialled }) };
    } catch (error) {
      return { host, problem: toProblem(error, host.name) };
    }
  };
  try {
    const early: DiagContext = { spec, tier: wish.tier, now: at };
    const addressesOf = async ({ host }: Look) => ({ ...early, addresses: await numericAddresses([host]) });
    const looks = await Promise.all(
      spec.hosts.map(async (host) => {
        const done = await look(host);
        judgeLook(checks, done, await addressesOf(done), ledger, tellOf);
        return done;
      }),
    );
    const addresses = await numericAddresses(looks.map(({ host }) => host));
    const context: DiagContext = { ...early, addresses };
    judgeAcross(checks, looks, context, ledger, tellOf);
    const pairs = await lookAtLinks({ spec, tier: wish.tier, checks, looks, open, addresses });
    const add = (results: readonly Result[]): void => {
      for (const result of results) {
        ledger.add(result);
        tellOf(result);
      }
    };
    const pairChecks = checks.filter((check) => check.scope === "pair");
    add(judgePairs(pairChecks.filter(isOfLinks), pairs, context));
    add(
      await tryDistributed(
        { spec, checks: pairChecks.filter((check) => !isOfLinks(check)), all: checks, results: ledger.results, pairs, looks, context },
        deps,
      ),
    );
    return { spec, tier: wish.tier, checks, results: ledger.results, looks, pairs, at, tookMs: performance.now() - begun };
  } finally {
    for (const { transport } of open) transport.close();
  }
}
