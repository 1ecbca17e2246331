/** What a drill does to a cluster: only processes of its own run and of ours, never a cable, a host or a disk. Pure. */

import type { Launcher, RunSpec } from "../spec.ts";

export type DrillFault = "rank" | "launcher" | "shim" | "agent" | "controller";

/** restart: one more attempt trains. untouched: the same ranks go on. */
export const MUST: Readonly<Record<DrillFault, "restart" | "untouched">> = {
  rank: "restart",
  launcher: "restart",
  shim: "restart",
  agent: "untouched",
  controller: "untouched",
};

export const ABOUT: Readonly<Record<DrillFault, string>> = {
  rank: "a rank is killed",
  launcher: "the launcher of a host is killed",
  shim: "the shim of a host is killed",
  agent: "the agent of a host is killed",
  controller: "the controller is killed",
};

/** The harmless ones first. Without a launcher of the ranks' own there is none to kill. */
export const faultsOf = (launcher: Launcher): readonly DrillFault[] =>
  (["agent", "controller", "rank", "launcher", "shim"] as const).filter((fault) => fault !== "launcher" || launcher !== "direct");

/** A program that is no trainer is replaced by one. */
const launcherOf = ({ launcher }: RunSpec): Launcher => (launcher === "command" ? "torchrun" : launcher);

/** Ends a drill that its own command could not end. */
const LIMIT_MS = 30 * 60_000;

/** The run of the drill: the file's hosts and settings, our smoke trainer, no place where the user keeps things. */
export const drillOf = (spec: RunSpec, run: string): RunSpec => ({
  ...spec,
  run,
  name: "drill",
  launcher: launcherOf(spec),
  job: { kind: "smoke", args: ["--seconds", "3600", "--sleep", "0.2"] },
  code: { kind: "none" },
  resumeArgs: [],
  paths: {},
  tags: [],
  seat: null,
  restart: { max: 10, backoffMs: 0, onHostLoss: "fail", onHang: "report", stopCodes: [], retryCodes: [] },
  timeouts: { ...spec.timeouts, runMs: LIMIT_MS },
});
