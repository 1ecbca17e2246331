/** The variables of one host's ranks: the user's, ours where nobody else's, and the launcher's; each with its reason. */

import type { RankAssignment } from "../ranks.ts";
import type { NcclLevel } from "../run/nccl-level.ts";
import type { RunSpec } from "../spec.ts";
import { type DefaultsContext, ENV_DEFAULTS } from "./defaults.ts";
import { refuseReserved } from "./owned.ts";
import type { PlanHost, PlanVar } from "./types.ts";

/** Where names of the two scopes meet, the host's own value wins; a secret of a host wins over a plain value for all. */
export function userVars(spec: RunSpec, at: PlanHost): PlanVar[] {
  const { host } = at;
  refuseReserved(Object.keys(spec.env), "env");
  refuseReserved(Object.keys(host.env), `env of ${host.name}`);
  const vars = new Map<string, PlanVar>();
  for (const [name, value] of Object.entries(spec.env)) vars.set(name, { name, value, reason: "env of the file" });
  for (const name of spec.secretNames["*"] ?? []) vars.set(name, { name, secret: true, reason: "secret of the file, travels apart" });
  for (const [name, value] of Object.entries(host.env)) vars.set(name, { name, value, reason: `env of ${host.name} in the file` });
  for (const name of spec.secretNames[host.name] ?? []) vars.set(name, { name, secret: true, reason: `secret of ${host.name}, travels apart` });
  refuseReserved(vars.keys(), "a secret of the file");
  return [...vars.values()];
}

/** What a person asks for while the run goes on wins over the file. */
export function withNcclLevel(vars: readonly PlanVar[], level: NcclLevel | null): readonly PlanVar[] {
  if (level === null) return vars;
  return [...vars.filter(({ name }) => name !== "NCCL_DEBUG"), { name: "NCCL_DEBUG", value: level, reason: "asked for while the run went on" }];
}

export function defaultVars(context: DefaultsContext, taken: ReadonlySet<string>): PlanVar[] {
  const vars: PlanVar[] = [];
  for (const { name, aliases, value, reason } of ENV_DEFAULTS) {
    if (taken.has(name) || aliases?.some((alias) => taken.has(alias))) continue;
    const found = value(context);
    if (found !== null) vars.push({ name, value: found, reason: reason(context) });
  }
  return vars;
}

/** NEXA_DURABLE and its like: paths on the host, relative ones from the home there. */
export function pathVars(spec: RunSpec, at: PlanHost): PlanVar[] {
  const vars: PlanVar[] = [];
  for (const key of ["durable", "shared", "checkpoints"] as const) {
    const path = spec.paths[key];
    if (path !== undefined) vars.push({ name: `NEXA_${key.toUpperCase()}`, value: onHost(path, at), reason: `paths.${key} of the file` });
  }
  return vars;
}

export function onHost(path: string, at: PlanHost): string {
  if (path.startsWith("/") || at.facts === null) return path;
  return `${at.facts.home}/${path.replace(/^~\/?/, "")}`.replace(/\/$/, "");
}

/** CPUs for the ranks of `at`, shared fairly with other entries of the run that are the same machine (containers, `transport: local`). */
export function cpusFor(at: PlanHost, hosts: readonly PlanHost[], places: readonly RankAssignment[]): number | null {
  const { facts } = at;
  if (facts === null) return null;
  const mine = places.find((place) => place.host === at.host.name)?.nproc ?? 1;
  const sharing = hosts.filter((other) => other.facts?.bootId === facts.bootId).map((other) => other.host.name);
  const all = places.reduce((sum, place) => sum + (sharing.includes(place.host) ? place.nproc : 0), 0);
  return Math.floor((facts.cpus * mine) / Math.max(1, all));
}
