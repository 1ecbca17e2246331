/** Small runs and hosts for the tests of the plan. */

import { DETECTION, RECOVERY } from "../../../cluster/config/recovery.ts";
import { NexaError } from "../../../cluster/errors.ts";
import { planAttempt } from "../../../cluster/launch/plan.ts";
import type { HostPlan, PlanHost, PlanInput } from "../../../cluster/launch/types.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../../cluster/spec.ts";

export const aGpu = (index: number, name = "NVIDIA A100") => ({ index, uuid: `GPU-${index}`, name, memoryMiB: 40_000 });

export function someFacts(over: Partial<HostFacts> = {}): HostFacts {
  return {
    os: "Linux",
    arch: "x86_64",
    kernel: "6.8",
    libc: { kind: "glibc", version: "2.39" },
    hostname: "machine",
    user: "me",
    uid: 1000,
    home: "/home/me",
    shell: "/bin/bash",
    bootId: "boot",
    stateDir: "/home/me/.local/state/nexadist",
    stateNote: "",
    helperPython: { path: "/usr/bin/python3", version: "3.11.2" },
    node: null,
    python: { path: "/opt/env/bin/python", version: "3.12.1", torch: "2.13.0", accelerate: "1.15.0" },
    pythonProblem: "",
    interfaces: [
      { name: "lo", mtu: 65_536, up: true, addresses: ["127.0.0.1", "::1"] },
      { name: "eth0", mtu: 1500, up: true, addresses: ["10.0.0.1"] },
    ],
    gpus: [aGpu(0), aGpu(1), aGpu(2), aGpu(3)],
    gpuProblem: "",
    cpus: 16,
    memoryBytes: 64e9,
    ephemeralPorts: [32_768, 60_999],
    linger: true,
    killUserProcesses: false,
    ...over,
  };
}

export const someHost = (name: string, over: Partial<HostSpec> = {}): HostSpec => ({
  name,
  transport: "ssh",
  address: name,
  env: {},
  gpus: { kind: "count", count: 4 },
  ...over,
});

export function someSpec(over: Partial<RunSpec> = {}): RunSpec {
  return {
    schema: 1,
    run: "train_20251101_143200",
    name: "train",
    file: null,
    hosts: [],
    minHosts: 1,
    launcher: "torchrun",
    per: "host",
    rdzv: null,
    rdzvPorts: null,
    job: { kind: "script", script: "train.py", args: ["--lr", "3e-4"] },
    accelerateConfig: null,
    env: {},
    secretNames: {},
    timeouts: { connectMs: 30_000, startMs: 600_000, stopGraceMs: 30_000, runMs: null, ...DETECTION },
    ...RECOVERY,
    logs: { quotaBytes: 2 ** 31 },
    paths: {},
    tags: [],
    code: { kind: "none" },
    ...over,
  };
}

/** Host k of a run at 10.0.0.(k+1), unless told otherwise. */
export function placed(host: HostSpec, over: Partial<PlanHost> = {}): PlanHost {
  return {
    host,
    facts: someFacts({
      bootId: host.name,
      interfaces: [
        { name: "lo", mtu: 65_536, up: true, addresses: ["127.0.0.1", "::1"] },
        { name: "eth0", mtu: 1500, up: true, addresses: [host.address] },
      ],
    }),
    dirs: { bundle: "/b", attempt: `/s/${host.name}/a1`, socket: `/r/${host.name}.sock`, job: "/job", scratch: null },
    python: null,
    ...over,
  };
}

export const somePlan = (spec: Partial<RunSpec>, hosts: readonly PlanHost[], over: Partial<PlanInput> = {}): PlanInput => ({
  spec: someSpec({ ...spec, hosts: hosts.map((at) => at.host) }),
  hosts,
  attempt: 1,
  rdzvId: "train_20251101_143200-1",
  ports: { rdzv: 29_400, master: 29_401 },
  cpuOnly: false,
  ...over,
});

/** 3 ranks on a, 1 on b; the addresses sort the other way round. */
export const PAIR: readonly [PlanHost, PlanHost] = [
  placed(someHost("a", { address: "10.0.0.9", gpus: { kind: "count", count: 3 } })),
  placed(someHost("b", { address: "10.0.0.10", gpus: { kind: "count", count: 1 } })),
];

export const hostsOf = (spec: Partial<RunSpec>, hosts: readonly PlanHost[] = PAIR, over: Partial<PlanInput> = {}): readonly HostPlan[] =>
  planAttempt(somePlan(spec, hosts, over)).hosts;

export function argvOf(host: HostPlan | undefined, process = 0): readonly string[] {
  return host?.spawns[process]?.argv ?? [];
}

export function envOf(host: HostPlan | undefined, process = 0): Readonly<Record<string, string>> {
  return host?.spawns[process]?.env ?? {};
}

export function codeOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof NexaError) return error.code;
    throw error;
  }
  return "no error";
}
