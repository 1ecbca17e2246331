/** The quick checks of diag before the first attempt: what they found, and whether it keeps the launch back. */

import { EXIT, fail, toProblem } from "../errors.ts";
import type { RunEvent } from "./events.ts";
import type { RunState } from "./state.ts";
import { failed } from "./trouble.ts";

/** What is not good, on the hosts where it is alike. error: it could not be looked at. */
export type PreflightFinding = {
  readonly id: string;
  readonly title: string;
  readonly status: "fail" | "warn" | "error";
  readonly hosts: readonly string[];
  readonly observed: string;
  readonly fix: string;
  readonly isBlocking: boolean;
};

/** No rank starts before its outcome is known. */
export const awaitsPreflight = ({ spec, preflight, attempt }: RunState): boolean => spec.preflight === true && preflight === null && attempt <= 1;

export const blockersOf = (findings: readonly PreflightFinding[]): readonly PreflightFinding[] =>
  findings.filter(({ isBlocking, status }) => isBlocking && status === "fail");

export const findingWords = ({ hosts, title, observed, id }: PreflightFinding): string =>
  `${hosts.length === 0 ? "all hosts" : hosts.join(", ")}: ${title}: ${observed} [${id}]`;

/** What is wrong only on hosts that were left out keeps nobody back. */
const keepers = ({ preflight, members }: RunState): readonly PreflightFinding[] =>
  blockersOf(preflight?.findings ?? []).filter(({ hosts }) => hosts.length === 0 || hosts.some((host) => members.includes(host)));

export const isKeptBack = (state: RunState): boolean => state.spec.isForced !== true && keepers(state).length > 0;

export const preflightDone = (state: RunState, { findings }: RunEvent & { readonly type: "preflight-done" }): RunState =>
  awaitsPreflight(state) && ["preparing", "arming"].includes(state.phase) ? { ...state, preflight: { findings } } : state;

/** When all else is ready: what a host itself refuses says more, and comes first. */
export function keptBack(state: RunState, at: number): RunState {
  const blockers = keepers(state);
  const count = blockers.length === 1 ? "1 finding" : `${blockers.length} findings`;
  const text = `diag keeps it back (${count}):\n${blockers.map((one) => `${findingWords(one)}\n  fix:\n${one.fix.replaceAll(/^/gm, "    ")}`).join("\n")}`;
  const problem = toProblem(fail("PREFLIGHT", { text, file: state.spec.file ?? "FILE" }));
  return failed(state, { at, host: blockers[0]?.hosts[0] ?? null, rank: null, text, exit: EXIT.preflight, problem });
}
