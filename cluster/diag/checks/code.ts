/** The job's code and the variables that steer it: the same on all hosts, and none that spoils a run. */

import * as z from "zod";
import type { ClusterCheck, HostCheck, HostProbe, Judgement } from "../check.ts";
import { compare, names } from "../compare.ts";
import { on } from "../cure.ts";
import { ranksOn, wantsGpus } from "../ranks.ts";
import { cannotSay, failed, jsonOf, pass, skip, warn } from "../read.ts";
import { type JobCode, jobCode } from "./python-shape.ts";

type Said = Judgement & { readonly host: string };

const variables = (probe: HostProbe): Readonly<Record<string, string>> =>
  jsonOf(probe, "environment", z.object({ variables: z.record(z.string(), z.string()) })).variables;

/** Of a login: what ranks inherit, unless the file or the launcher sets it. */
const SPOILERS: readonly { readonly name: RegExp; readonly when: (value: string) => boolean; readonly why: string }[] = [
  { name: /^CUDA_LAUNCH_BLOCKING$/, when: (value) => value === "1", why: "every kernel is waited for" },
  { name: /^NCCL_DEBUG$/, when: (value) => /^trace$/i.test(value), why: "every call is logged" },
  { name: /^TORCH_DISTRIBUTED_DEBUG$/, when: (value) => /^detail$/i.test(value), why: "every collective is checked by another one" },
  { name: /^(CUDA_INJECTION64_PATH|NSIGHT_\w+|CUDA_PROFILE|COMPUTE_PROFILE)$/, when: (value) => value !== "" && value !== "0", why: "a profiler is attached" },
  { name: /^NCCL_(P2P|SHM|IB)_DISABLE$/, when: (value) => value === "1", why: "a fast way between GPUs is turned off" },
];

const UNSET = on(
  "grep -n {variable} ~/.bashrc ~/.profile ~/.bash_profile /etc/environment",
  "where it is set: take it out; or set it under env: in the cluster file",
);

export const CODE_HOST: readonly HostCheck[] = [
  {
    group: "versions",
    tier: "quick",
    scope: "host",
    needs: [],
    id: "env.spoilers",
    title: "variables of the login that slow ranks down",
    why: "ranks inherit the environment of a login on the host",
    fix: UNSET,
    who: "you",
    verify: on('echo "${variable}"'),
    isBlocking: false,
    proof: "broken",
    judge: (probe, host, { spec }) => {
      const found = variables(probe);
      const bad = Object.entries(found).flatMap(([name, value]) => {
        const spoiler = name in spec.env || name in host.env ? undefined : SPOILERS.find((one) => one.name.test(name) && one.when(value));
        return spoiler === undefined ? [] : [warn(`${name}=${value.slice(0, 60)}: ${spoiler.why}`, { words: { variable: name } })];
      });
      return bad.length > 0 ? bad : pass("none");
    },
  },
  {
    group: "versions",
    tier: "quick",
    scope: "host",
    needs: [],
    id: "env.visible_devices",
    title: "variables of the login that hide GPUs",
    why: "ranks would find fewer GPUs than the file counts on",
    fix: UNSET,
    who: "you",
    verify: on('echo "$CUDA_VISIBLE_DEVICES"'),
    isBlocking: true,
    proof: "unproven",
    judge: (probe, host) => {
      const value = variables(probe).CUDA_VISIBLE_DEVICES;
      if (!wantsGpus(host)) return skip("no GPU is wanted here");
      if (value === undefined) return pass("not set");
      const seen = value.split(",").filter((word) => word.trim() !== "" && word.trim() !== "-1").length;
      const wanted = ranksOn(host, probe.facts);
      const words = { variable: "CUDA_VISIBLE_DEVICES" };
      return seen < wanted
        ? failed(`CUDA_VISIBLE_DEVICES=${value} shows ${seen} of ${wanted} GPUs`, { words })
        : warn(`CUDA_VISIBLE_DEVICES=${value} is set`, { expected: "not set", words });
    },
  },
];

const base = { group: "versions", tier: "quick", scope: "cluster", needs: [], who: "you" } as const;

/** Why there is nothing to compare; null: there is. */
function unshared(probes: readonly HostProbe[], kind: "snapshot" | "in-place" | "none"): string | null {
  if (kind === "snapshot") return "the same snapshot is sent to every host";
  if (kind === "none") return "no code is sent";
  return probes.length < 2 ? "one host only" : null;
}

function differing(probes: readonly HostProbe[], read: (code: JobCode) => string, what: string): readonly Said[] {
  const values = probes.map((probe) => {
    const code = jobCode(probe);
    if (code.dir === null) throw cannotSay("the code was not looked at");
    return { host: probe.host, value: code.isThere === true ? read(code) : "the directory is not there", dir: code.dir };
  });
  const compared = compare(values);
  const like = values.filter(({ value }) => value === compared?.usual).map(({ host }) => host);
  return (compared?.odd ?? []).map(({ host, value }) => {
    const dir = values.find((one) => one.host === host)?.dir ?? "";
    const words = { dir, like: like[0] ?? "" };
    return { host, ...failed(`${what} in ${dir}: ${value.slice(0, 80)}`, { expected: `${compared?.usual.slice(0, 80) ?? ""}, as on ${names(like)}`, words }) };
  });
}

const SAME = on("cd {dir} && git pull", "to the state of {like}; or leave --no-sync away: then one snapshot is sent to all");

export const CODE_CLUSTER: readonly ClusterCheck[] = [
  {
    ...base,
    id: "ver.code",
    title: "the code across hosts",
    why: "ranks that run different code wait for different collectives",
    fix: SAME,
    verify: "nexadist exec -- git -C {dir} rev-parse HEAD",
    isBlocking: true,
    proof: "broken",
    judge: (probes, { spec }) => {
      const why = unshared(probes, spec.code.kind);
      if (why !== null) return probes.map(({ host }) => ({ ...skip(why), host }));
      const script = spec.job.kind === "script" ? spec.job.script : "";
      const short = (hash: string | null | undefined): string => hash?.slice(0, 12) ?? "none";
      return differing(
        probes,
        ({ commit, changes, files }) => `commit ${short(commit)}, changes ${short(changes)}${script === "" ? "" : `, ${script} ${short(files?.[script])}`}`,
        "code",
      );
    },
  },
  {
    ...base,
    id: "ver.lock",
    title: "lock files across hosts",
    why: "environments made from different locks differ",
    fix: SAME,
    verify: "nexadist exec -- sh -c 'cd {dir} && sha256sum *.lock requirements*.txt'",
    isBlocking: false,
    proof: "broken",
    judge: (probes, { spec }) => {
      const why = unshared(probes, spec.code.kind);
      if (why !== null) return probes.map(({ host }) => ({ ...skip(why), host }));
      const script = spec.job.kind === "script" ? spec.job.script : "";
      const locks = ({ files }: JobCode): string =>
        Object.entries(files ?? {})
          .filter(([name]) => name !== script)
          .map(([name, hash]) => `${name} ${hash.slice(0, 12)}`)
          .join(", ") || "none";
      return differing(probes, locks, "lock files").map((one) => ({ ...one, status: "warn" as const }));
    },
  },
];
