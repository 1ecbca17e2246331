/** Does the effects that need a host: prepare, arm, launch, stop, forget. Each tells what happened as events; none decides. */

import { fail, NexaError } from "../../cluster/errors.ts";
import { portsToHold } from "../../cluster/launch/ports.ts";
import { modulesToAsk } from "../../cluster/launch/program.ts";
import type { AttemptPlan } from "../../cluster/launch/types.ts";
import { armReply, type PrepareReply, prepareReply, type RunRecord, stopReply } from "../../cluster/protocol.ts";
import { ranksOf } from "../../cluster/ranks.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { Effect } from "../../cluster/run/wanted.ts";
import type { HostSpec, RunSpec } from "../../cluster/spec.ts";
import type { Lent } from "../../cluster/viewer.ts";
import { callHelper } from "../reach/helper.ts";
import { type Code, fromDisk, syncHost } from "../sync/send.ts";
import type { Snapshot } from "../sync/snapshot.ts";
import { codeOfPeers, type Peer, recallSecrets } from "./from-peers.ts";
import type { Linked } from "./keeper.ts";
import { attemptSpec, layOut, memberSpecs } from "./layout.ts";
import { secretsOf } from "./secrets.ts";

export type HostEffect = Extract<Effect, { readonly do: "prepare" | "arm" | "launch" | "stop" | "record" | "forget" }>;

/** What doing an effect on a host needs to know. */
export type Work = {
  readonly state: RunState;
  readonly host: HostSpec;
  readonly linked: Linked;
  readonly record: RunRecord;
  readonly lent: Lent;
  readonly snapshot: () => Promise<Snapshot | null>;
  /** Other hosts that were made ready for the run and can be asked. */
  readonly peers: () => readonly Peer[];
  readonly plan: () => Promise<AttemptPlan>;
  readonly notice: (text: string) => void;
  /** False once the effect is not wanted any more: long work stops there. */
  readonly isWanted: () => boolean;
  readonly now: () => number;
};

export async function perform(effect: HostEffect, work: Work): Promise<readonly RunEvent[]> {
  switch (effect.do) {
    case "prepare":
      return [await prepare(work)];
    case "arm":
      return [await arm(work, effect.attempt)];
    case "launch":
      return [await launch(work, effect.attempt)];
    case "stop":
      return stop(work, effect);
    case "record":
      await work.linked.link.command({ do: "record", ...fence(work), record: work.record });
      return [];
    case "forget":
      await work.linked.link.command({ do: "forget", ...fence(work) }).catch((error: unknown) => {
        // It knows nothing of the run any more, or takes another controller's word on it: nothing is left to forget for us.
        if (!(error instanceof NexaError && (error.code === "RUN_NOT_ADOPTED" || error.code === "FENCED"))) throw error;
      });
      return [{ at: work.now(), type: "host-forgot", host: effect.host }];
  }
}

const fence = ({ record }: Work): { run: string; epoch: number; controller: string } => ({
  run: record.run,
  epoch: record.epoch,
  controller: record.controller,
});

async function prepare(work: Work): Promise<RunEvent> {
  const { state, host, linked } = work;
  const { spec } = state;
  await recallSecrets(work.peers(), fence(work), spec);
  const secrets = secretsOf(spec.run);
  const gone = ["*", host.name].flatMap((scope) => (spec.secretNames[scope] ?? []).filter((name) => secrets[scope]?.[name] === undefined));
  if (gone.length > 0) throw fail("SECRETS_GONE", { names: gone.join(", "), run: spec.run });
  const [, sessionEnv] = await Promise.all([sendCode(work), captureSession(work)]);
  if (!work.isWanted()) throw fail("NOT_WANTED", { host: host.name });
  const layout = layOut(state);
  const place = layout.ok ? layout.places.find((p) => p.host === host.name) : undefined;
  const inPlace = spec.code.kind === "in-place" ? (host.workdir ?? spec.code.dir) : null;
  work.notice(host.setup === undefined ? "preparing" : "preparing: setup");
  const asked = linked.link.command({
    do: "prepare",
    ...fence(work),
    python: host.python ?? null,
    setup: host.setup ?? null,
    sessionEnv: sessionEnv ?? null,
    secrets: { ...secrets["*"], ...secrets[host.name] },
    limitMs: spec.timeouts.startMs,
    scratch: spec.paths.scratch ?? null,
    ranks: place === undefined ? [] : ranksOf(place).map(({ rank }) => rank),
    inPlace,
    hashScript: spec.code.kind === "in-place" && spec.job.kind === "script" ? spec.job.script : null,
    hashOneOf: moduleFiles(spec),
    modules: modulesToAsk(spec, host, linked.facts),
  });
  const reply = await asked.catch((error: unknown) => {
    throw isOfForgetting(error) && !work.isWanted() ? fail("NOT_WANTED", { host: host.name }) : error;
  });
  const ready = prepareReply.parse(reply);
  return { ...ready, notes: [...ready.notes, ...uncompared(work, ready)], at: work.now(), type: "host-prepared", host: host.name };
}

/** Of a module that every host must hold itself, where `python -m` would look first. */
function moduleFiles({ code, job }: RunSpec): string[] {
  if (code.kind !== "in-place" || job.kind !== "module") return [];
  const path = job.module.replaceAll(".", "/");
  return [`${path}/__main__.py`, `${path}.py`];
}

/** Told once: the first host speaks for all, since one that differs from it is refused. */
function uncompared({ state, host }: Work, ready: PrepareReply): string[] {
  const files = moduleFiles(state.spec);
  if (files.length === 0 || ready.scriptSha256 !== null || state.members[0] !== host.name || state.members.length < 2) return [];
  return [`nothing is compared between hosts: ${files.join(", ")}: none of them is in ${ready.dir}`];
}

/** What a host says that was told to forget the run while it was being prepared: no failure of its own. */
const isOfForgetting = (error: unknown): boolean => error instanceof NexaError && (error.code === "NOT_PREPARED" || error.code === "RUN_NOT_ADOPTED");

/** A host that never started anything of the attempt has a receipt at once: the agent says so, and refuses it from then on. */
async function stop(work: Work, { host, attempt, graceMs, why }: HostEffect & { do: "stop" }): Promise<RunEvent[]> {
  const { absent } = stopReply.parse(await work.linked.link.command({ do: "stop", ...fence(work), attempt, graceMs, why }));
  if (!absent) return []; // the receipt comes as an event
  const receipt = { signalled: 0, exited: 0, killed: 0, left: 0, leftPids: [], proof: ["pids"] as const, gpuMemoryMiB: 0 };
  return [
    { at: work.now(), type: "host-ended", host, attempt, receipt },
    { at: work.now(), type: "host-drained", host, attempt },
  ];
}

/** From this machine's disk; where the run was taken over from another machine, from a host that has it. */
async function codeOf(work: Work): Promise<Code | null> {
  try {
    const snapshot = await work.snapshot();
    return snapshot === null ? null : fromDisk(snapshot);
  } catch (error) {
    const { tree } = work.state;
    const code = tree === null || !(error instanceof NexaError) ? null : await codeOfPeers(work.peers(), fence(work), tree);
    if (code === null) throw error;
    return code;
  }
}

async function sendCode(work: Work): Promise<void> {
  const code = await codeOf(work);
  if (code === null) return;
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
  await syncHost(work.linked.link, fence(work), code, (sent, total) => {
    if (!work.isWanted()) throw fail("NOT_WANTED", { host: work.host.name });
    if (total > 0) work.notice(`sending code, ${mb(sent)} of ${mb(total)} MB`);
  });
  if (!work.isWanted()) throw fail("NOT_WANTED", { host: work.host.name });
}

/** The environment of a fresh session of the user: left on the host by the helper, or, for a local host, that of who asked. */
async function captureSession({ host, linked, lent, state }: Work): Promise<Record<string, string> | undefined> {
  if (host.transport === "local") return { ...lent.env };
  await callHelper(linked.transport, host.name, { op: "env", stateDir: linked.facts.stateDir, key: linked.agent.key, run: state.spec.run });
  return undefined;
}

async function arm(work: Work, attempt: number): Promise<RunEvent> {
  const { state, host } = work;
  const held = state.hosts[host.name]?.claim ?? null;
  const { ports, range } = portsToHold(attemptSpec(state), memberSpecs(state), host.name);
  const reply = armReply.parse(
    await work.linked.link.command({
      do: "arm",
      ...fence(work),
      record: work.record,
      attempt,
      host: host.name,
      ports: ports.map(({ port }) => port),
      portRange: [...range],
      mark: `${work.record.controller}/${state.spec.run}/${attempt}/${host.name}`,
      quotaBytes: state.spec.logs.quotaBytes,
      ...(held === null ? {} : { gpus: [...held] }),
    }),
  );
  return { ...reply, at: work.now(), type: "host-armed", host: host.name, attempt };
}

async function launch(work: Work, attempt: number): Promise<RunEvent> {
  const plan = await work.plan();
  const here = plan.hosts.find((h) => h.name === work.host.name);
  if (here === undefined) throw new RangeError(`the plan lacks ${work.host.name}`);
  await work.linked.link.command({
    do: "launch",
    ...fence(work),
    record: work.record,
    attempt,
    spawns: here.spawns.map((spawn) => ({ ...spawn, argv: [...spawn.argv], env: { ...spawn.env } })),
    unset: here.unset.map(({ pattern }) => pattern),
    ranks: here.ranks.length,
    stopGraceMs: work.state.spec.timeouts.stopGraceMs,
  });
  return { at: work.now(), type: "host-launched", host: work.host.name, attempt };
}
