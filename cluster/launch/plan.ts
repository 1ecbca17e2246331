/** planAttempt: from a run and its hosts to what is started on each of them. */

import { fail } from "../errors.ts";
import { assignRanks, type RankAssignment, ranksOf } from "../ranks.ts";
import type { Spawn } from "../shim-contract.ts";
import { formatTorch, isCpuOnly } from "../torch.ts";
import { cpusFor, defaultVars, onHost, pathVars, userVars, withNcclLevel } from "./environment.ts";
import { type GpuPick, gpuVars, pickGpus } from "./gpus.ts";
import { chooseInterface, type InterfaceChoice, isLoopback } from "./interface.ts";
import { LAUNCHERS } from "./launchers.ts";
import { UNSET } from "./owned.ts";
import { rdzvIndex } from "./ports.ts";
import { pythonOf, refuseMissing, startsThroughPrologue, torchOf } from "./program.ts";
import { checkpointPath } from "./resume.ts";
import type { AttemptPlan, HostPlan, LaunchContext, PlanHost, PlanInput, PlannedProcess, PlanVar } from "./types.ts";

/** Errors: what the request and the hosts cannot have together (GPUs, interface, rendezvous, launcher), as NexaError. */
export function planAttempt(input: PlanInput): AttemptPlan {
  const { spec, hosts } = input;
  const choices = hosts.map((at) => pickGpus(at.host.gpus, at.facts, at.host.name, at.claimed ?? null));
  const places = assignRanks(hosts.map((at, index) => ({ name: at.host.name, nproc: ranksPerHost(input, choices[index]) })));
  refuseMixedLoopback(hosts);
  const store = rdzvIndex(
    spec,
    hosts.map((at) => at.host),
  );
  const onCpu = input.cpuOnly || hosts.every((at) => at.host.gpus.kind === "none" || isCpuOnly(torchOf(at)));
  const plans = hosts.map((at, index) => {
    const [choice, place, first, rdzv] = [choices[index], places[index], hosts[0], hosts[store]];
    if (choice === undefined || place === undefined || first === undefined || rdzv === undefined) throw new Error("a host without its place");
    refuseMissing(at, spec);
    const context: LaunchContext = {
      input,
      at,
      place,
      places,
      masterAddress: first.host.address,
      rdzvIndex: store,
      rdzvAddress: rdzv.host.address,
      python: pythonOf(at, spec.job, startsThroughPrologue(spec.launcher)),
      onCpu,
    };
    return planHost(context, choice, places);
  });
  return { run: spec.run, attempt: input.attempt, launcher: spec.launcher, worldSize: places[0]?.worldSize ?? 0, hosts: plans };
}

function planHost(c: LaunchContext, choice: GpuPick, places: readonly RankAssignment[]): HostPlan {
  const { input, at, place } = c;
  const { spec, hosts } = input;
  const part = LAUNCHERS[spec.launcher](c);
  const { choice: network, notes } = networkOf(at, hosts);
  const user = withNcclLevel(userVars(spec, at), input.ncclLevel ?? null);
  const named = new Set(user.map((each) => each.name));
  const taken = new Set([...named, ...(at.sessionNames ?? [])]);
  const usesGpus = at.host.gpus.kind !== "none" && !input.cpuOnly;
  const gpuNames = (at.facts?.gpus ?? []).filter((gpu) => choice.gpus.some((chosen) => chosen.uuid === gpu.uuid)).map((gpu) => gpu.name);
  const torch = torchOf(at);
  const defaults = defaultVars({ usesGpus, nproc: place.nproc, cpus: cpusFor(at, hosts, places), interface: network, gpuNames, torch }, taken);
  const gpuCount: PlanVar[] = usesGpus ? [{ name: "NEXA_GPUS", value: String(choice.nproc), reason: "GPUs of this host that the run has" }] : [];
  const devices = gpuVars(choice, at.host.gpus, at.facts, input.cpuOnly);
  const ours = [...ownVars(c), ...part.vars, ...pathVars(spec, at), ...gpuCount, ...devices].filter((each) => !named.has(each.name));
  const vars = [...ours, ...defaults, ...user];
  const processes = part.processes.map((each) => ({
    ...each,
    vars: each.vars.filter(({ name }) => !(name === "NCCL_DEBUG_FILE" ? taken : named).has(name)),
  }));
  const cwd = at.dirs.job;
  return {
    name: at.host.name,
    at: place,
    ranks: ranksOf(place),
    gpus: choice.gpus,
    vars,
    unset: UNSET,
    processes,
    // A dry run knows no directory of ours there, so nothing that could be started.
    spawns: at.dirs.bundle === null ? [] : processes.map((each) => spawnOf(each, vars, cwd ?? at.dirs.attempt)),
    cwd,
    setup: at.host.setup ?? null,
    pasted: part.pasted,
    notes: [...unknownNotes(at), ...(usesGpus ? cpuTorchNotes(at) : []), ...scratchNotes(c), ...notes, ...part.notes],
  };
}

/** `command` with one process per host has one rank per host, whatever its GPUs. */
const ranksPerHost = ({ spec }: PlanInput, choice: GpuPick | undefined): number =>
  spec.launcher === "command" && spec.per === "host" ? 1 : (choice?.nproc ?? 0);

/** Our own marks. A dry run has none of them: what it prints must work where nothing of ours is. */
function ownVars(c: LaunchContext): PlanVar[] {
  const { input, at } = c;
  if (at.dirs.bundle === null) return [];
  const vars: PlanVar[] = [
    { name: "NEXADIST_RUN", value: input.spec.run, reason: "the run" },
    { name: "NEXADIST_ATTEMPT", value: String(input.attempt), reason: "the attempt" },
  ];
  const checkpoint = checkpointPath(c);
  if (checkpoint !== null) vars.push({ name: "NEXADIST_CHECKPOINT", value: checkpoint, reason: "the last complete checkpoint, to go on from" });
  if (!startsThroughPrologue(input.spec.launcher)) return vars;
  vars.push(
    { name: "NEXADIST_DIR", value: at.dirs.attempt, reason: "for the prologue: where a rank's files are" },
    { name: "NEXADIST_SOCKET", value: at.dirs.socket, reason: "for the prologue: where a rank reports" },
  );
  if (at.dirs.scratch !== null) vars.push({ name: "NEXADIST_SCRATCH_BASE", value: at.dirs.scratch, reason: "for the prologue: NEXA_SCRATCH is rank_N in it" });
  return vars;
}

function networkOf(at: PlanHost, hosts: readonly PlanHost[]): { choice: Extract<InterfaceChoice, { ok: true }> | null; notes: string[] } {
  if (at.facts === null) {
    const name = at.host.interface;
    return { choice: name === undefined ? null : { ok: true, name, family: null, why: "the file names it" }, notes: [] };
  }
  const choice = chooseInterface(at.host, at.facts, at.addresses ?? [at.host.address]);
  if (choice.ok) return { choice, notes: [] };
  if (choice.error.code !== "INTERFACE_UNKNOWN") throw choice.error;
  // One host needs no interface; several often work by the libraries' own choice, so this is a word and no more.
  return { choice: null, notes: hosts.length > 1 ? [`${choice.error.message}; ${choice.error.hint}`] : [] };
}

function refuseMixedLoopback(hosts: readonly PlanHost[]): void {
  const loopback = hosts.filter((at) => isLoopback(at.host.address));
  const [one] = loopback;
  if (one !== undefined && loopback.length < hosts.length) throw fail("LOOPBACK_MIXED", { host: one.host.name, address: one.host.address });
}

function cpuTorchNotes(at: PlanHost): string[] {
  const torch = torchOf(at);
  return isCpuOnly(torch) ? [`its torch is ${formatTorch(torch)}, but the file gives it GPUs: ranks will not see them`] : [];
}

function unknownNotes(at: PlanHost): string[] {
  if (at.facts !== null) return [];
  const python = at.host.python === undefined && at.host.setup === undefined ? "which python (here: `python`), " : "";
  const network = at.host.interface === undefined ? "which interface (no *_SOCKET_IFNAME here), " : "";
  return [`not asked, so unknown: ${python}${network}whether its GPUs are there, its CPUs (no OMP_NUM_THREADS here)`];
}

const spawnOf = ({ role, rank, localRank, argv, vars }: PlannedProcess, shared: readonly PlanVar[], cwd: string): Spawn => ({
  role,
  rank,
  localRank,
  argv,
  env: valuesOf([...shared, ...vars]),
  cwd,
});

/** Only a prepared host has the directories. */
const scratchNotes = ({ at, input }: LaunchContext): string[] =>
  at.dirs.bundle === null && input.spec.paths.scratch !== undefined
    ? [`nexadist makes ${onHost(input.spec.paths.scratch, at)}/${input.spec.run}/rank_N there and sets NEXA_SCRATCH to it for rank N`]
    : [];

/** Later ones win, as in a shell; secrets are put in by the agent. */
const valuesOf = (vars: readonly PlanVar[]): Record<string, string> =>
  Object.fromEntries(vars.flatMap((each) => ("value" in each ? [[each.name, each.value] as const] : [])));
