/**
 * The wire between a controller and an agent: a WebSocket, JSON text frames for messages, binary frames for bytes.
 *
 * Diary of PROTOCOL. Bump on any change of meaning; never reuse a name.
 *   1: 2026-11-24: first.
 */

import * as z from "zod";
import { wantSchema } from "./claims/claim.ts";
import type { Problem } from "./errors.ts";
import type { Receipt, ShimEvent, Spawn } from "./shim-contract.ts";

export const PROTOCOL = 1;

/** Largest frame either side accepts, in bytes; senders cut at FRAME_DATA. */
export const MAX_FRAME = 1024 * 1024;
export const FRAME_DATA = 64 * 1024;
/** Log bytes an agent sends ahead of acknowledgement, per run: about a second of a good link, so that commands are not stuck behind logs. */
export const LOG_WINDOW = 8 * 1024 * 1024;
/** Bytes of a checkpoint in one message; base64 makes them a third more. */
export const CHECKPOINT_PIECE = 256 * 1024;
export const BEAT_MS = 2000;
/** Silence after which a host counts as unseen, which restarts nothing. */
export const UNSEEN_MS = 6000;
/** Silence after which a link is given up and dialled again; any byte received is life. */
export const SILENCE_MS = 10_000;
/** An agent's socket waits this long for a hello. */
export const HELLO_MS = 5000;
export const CLOSE = { protocol: 4001, token: 4002, malformed: 4003, slow: 4004, fenced: 4005, silent: 4006, bye: 4007 } as const;
/** What an agent says with its bye when an upgrade ends it. */
export const REPLACED = "its agent is being replaced";
/** Why an agent leaves a controller that does not lead the run any more. */
export const TAKEN_OVER = "another controller has taken over";

/** Who commands: compared as (epoch, id). Higher epoch wins; equal epoch and another id is refused. */
export type Authority = { readonly controller: string; readonly epoch: number };

/** The run's record that an agent keeps, fsynced, so that another machine can take over. `state` is the controller's reduced state. */
export type RunRecord = {
  readonly run: string;
  readonly epoch: number;
  readonly controller: string;
  readonly seq: number;
  readonly spec: unknown;
  readonly state: unknown;
};

const authority = { run: z.string().max(128), epoch: z.int().nonnegative(), controller: z.string().max(64) };
const record = z.looseObject({ run: z.string(), epoch: z.int(), controller: z.string(), seq: z.int(), spec: z.unknown(), state: z.unknown() });
const environment = z.record(z.string(), z.string());

/** A file of a snapshot; mode is 0o644 or 0o755; a link has `link` (target) and no hash. */
export const snapshotEntry = z.object({
  path: z.string().max(4096),
  mode: z.int(),
  size: z.int().nonnegative(),
  sha256: z.string().optional(),
  link: z.string().optional(),
});
export type SnapshotEntry = z.infer<typeof snapshotEntry>;

export const spawnSchema = z.object({
  role: z.enum(["launcher", "rank"]),
  rank: z.int().nullable(),
  localRank: z.int().nullable(),
  argv: z.array(z.string()),
  env: environment,
  cwd: z.string(),
}) satisfies z.ZodType<Spawn>;

/** What a controller asks for. Every command with a run is fenced by its authority; each is idempotent. */
export const commandSchema = z.discriminatedUnion("do", [
  /** Takes or renews the run; reply adoptReply. Refused with FENCED when a higher authority is on record. */
  z.object({ do: z.literal("adopt"), ...authority, record }),
  /** Newer reduced state, fsynced before the reply. */
  z.object({ do: z.literal("record"), ...authority, record }),
  /** From here on: events of the run from index, log streams from the offsets (absent streams from 0). No reply value. */
  z.object({ do: z.literal("subscribe"), ...authority, eventsFrom: z.int().nonnegative(), cursors: z.record(z.string(), z.int().nonnegative()) }),
  /** Which of these hashes the host lacks; reply {missing: string[]}. */
  z.object({ do: z.literal("sync-offer"), ...authority, hashes: z.array(z.string()) }),
  /**
   * All blobs are there: check, build the tree, give the run its writable copy; reply {dir, tree}. `manifest`: sha256 of a blob that holds the entries as JSON,
   * for lists that do not fit MAX_FRAME (then `entries` is empty).
   */
  z.object({ do: z.literal("sync-commit"), ...authority, entries: z.array(snapshotEntry), tree: z.string(), manifest: z.string().optional() }),
  /** Secrets to tmpfs, scratch made, session environment and `setup` taken; reply PrepareReply. */
  z.object({
    do: z.literal("prepare"),
    ...authority,
    python: z.string().nullable(),
    setup: z.string().nullable(),
    /** Session environment in place of the file that host.py `env` left (transport local), else null. */
    sessionEnv: environment.nullable(),
    secrets: environment,
    scratch: z.string().nullable(),
    ranks: z.array(z.int()),
    /** In-place code: hash this directory, no copy. */
    inPlace: z.string().nullable(),
    hashScript: z.string().nullable(),
    /** In its place for a module: the first of these that is there. */
    hashOneOf: z.array(z.string()).max(8).optional(),
    /** What the launcher imports, where the look at the host cannot tell whether its Python has it. */
    modules: z.array(z.string().regex(/^\w+$/)).max(16).optional(),
    /** How long `setup` may take. */
    limitMs: z.int().positive().optional(),
  }),
  /** Takes GPUs of this host for the run, all that it wants or none; reply ClaimReply of cluster/claims. Only to agents whose welcome says `claims`. */
  z.object({
    do: z.literal("claim"),
    ...authority,
    name: z.string().max(256),
    by: z.string().max(256),
    requestedAt: z.number(),
    want: wantSchema,
    gpus: z.array(z.object({ index: z.int().nonnegative(), uuid: z.string().max(256) })).max(1024),
    mayQueue: z.boolean(),
    force: z.boolean(),
  }),
  /** Lets them go; a place in the queue stays for a minute. */
  z.object({ do: z.literal("unclaim"), ...authority }),
  /** Starts the shim of an attempt, which holds ports; reply {ports, pid, start, dir, socket} when armed. */
  z.object({
    do: z.literal("arm"),
    ...authority,
    record,
    attempt: z.int(),
    host: z.string(),
    ports: z.array(z.int()),
    portRange: z.tuple([z.int(), z.int()]),
    mark: z.string(),
    quotaBytes: z.int(),
    /** Claimed before. */
    gpus: z.array(z.string().max(256)).max(1024).optional(),
  }),
  /**
   * Environment of each spawn: the captured session (or `setup`) environment, less names that match `unset` (exact, or a prefix ending in "*"),
   * then the secrets given to `prepare`, then the spawn's own `env`. Reply when the shim has launched.
   */
  z.object({
    do: z.literal("launch"),
    ...authority,
    record,
    attempt: z.int(),
    spawns: z.array(spawnSchema),
    unset: z.array(z.string()),
    ranks: z.int(),
    stopGraceMs: z.int(),
  }),
  /** Also disarms: an attempt that was armed and not launched just ends. Reply StopReply when the shim has it; the receipt comes as the event `ended`. */
  z.object({ do: z.literal("stop"), ...authority, attempt: z.int(), graceMs: z.int(), why: z.string() }),
  /** For who takes a run over: the values that it was made ready with; reply SecretsReply. */
  z.object({ do: z.literal("read-secrets"), ...authority }),
  /** For the same: bytes of a file of the code that was brought, or (null) of the list of all of them; reply CheckpointPiece. */
  z.object({ do: z.literal("read-code"), ...authority, sha256: z.string().max(64).nullable(), offset: z.int().nonnegative() }),
  /** Why the attempt may have ended, as far as the host knows; reply HostEvidence. */
  z.object({ do: z.literal("evidence"), ...authority, attempt: z.int() }),
  /** What lies in the directory of checkpoints (relative: from the home); reply ScanReply of cluster/checkpoint/scan.ts. */
  z.object({ do: z.literal("checkpoint-scan"), ...authority, root: z.string().max(4096) }),
  /** Bytes of a file beneath it; reply CheckpointPiece. */
  z.object({ do: z.literal("checkpoint-read"), ...authority, root: z.string().max(4096), path: z.string().max(4096), offset: z.int().nonnegative() }),
  /** Bytes (base64) of a file to be, beside its place; those at offset 0 come first and begin it anew. */
  z.object({
    do: z.literal("checkpoint-write"),
    ...authority,
    root: z.string().max(4096),
    path: z.string().max(4096),
    offset: z.int().nonnegative(),
    data: z.string().max(CHECKPOINT_PIECE * 1.5),
  }),
  /** All is written: checked, made durable, put in its place as what `attempt` saved. `sha256` null: forget what was written. */
  z.object({
    do: z.literal("checkpoint-seal"),
    ...authority,
    root: z.string().max(4096),
    path: z.string().max(4096),
    size: z.int().nonnegative(),
    sha256: z.string().length(64).nullable(),
    attempt: z.int().nonnegative(),
  }),
  /** Samples of the host from `from` on (0: since the run began there), if `id` is what the agent numbers by, else from 0. If its welcome says that it can. Reply SamplesReply. */
  z.object({ do: z.literal("samples"), ...authority, from: z.int().nonnegative(), id: z.string().max(64) }),
  /** What the ranks of the attempt are doing, stacks included; nothing is paused. Reply HostLook, within 7 s. */
  z.object({ do: z.literal("stacks"), ...authority, attempt: z.int() }),
  /** The run has ended and everything was handed over: erase secrets, scratch and record; keep logs until `uninstall` or age. */
  z.object({ do: z.literal("forget"), ...authority }),
  /** Ad-hoc command that finds nothing on stdin; output as binary frames {t:"exec"}, reply {code, signal} at its end. `window`: bytes that may be on their way, not acknowledged. */
  z.object({ do: z.literal("exec"), argv: z.array(z.string()), cwd: z.string().nullable(), env: environment, window: z.int().positive().optional() }),
  z.object({ do: z.literal("exec-kill"), target: z.int() }),
  /** Is anybody at this SSH port? Reply {saw: alive | mute | dead}. */
  z.object({ do: z.literal("knock"), host: z.string().max(256), port: z.int().min(1).max(65_535), limitMs: z.int().min(1).max(10_000) }),
  /** What this host has on record of a run, whoever asks; reply KeptReply. */
  z.object({ do: z.literal("read-record"), run: z.string().max(128) }),
  z.object({ do: z.literal("status") }),
  /** The agent leaves; shims and ranks stay. */
  z.object({ do: z.literal("quit") }),
]);
export type Command = z.infer<typeof commandSchema>;

/** Controller → agent, text frames. */
export const toAgentSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), protocol: z.int(), token: z.string(), controller: z.string() }),
  z.object({ type: z.literal("command"), id: z.int(), command: commandSchema }),
  /** Everything before `events` and before each offset is on the controller's disk. `exec`: so much more of a command's output was taken; `run` is "" then. */
  z.object({
    type: z.literal("ack"),
    run: z.string(),
    events: z.int().optional(),
    /** Number of the next sample. */
    samples: z.int().nonnegative().optional(),
    cursors: z.record(z.string(), z.int()).optional(),
    exec: z.object({ id: z.int(), bytes: z.int().nonnegative() }).optional(),
  }),
  z.object({ type: z.literal("beat") }),
]);
export type ToAgent = z.infer<typeof toAgentSchema>;

/** An event of one run on one host, kept by the agent until acknowledged. `index` grows by one from 0 per run and agent. */
export type AgentEvent = { readonly index: number; readonly at: number; readonly attempt: number; readonly event: AgentRunEvent };

export type AgentRunEvent =
  | ShimEvent
  /** The shim died without a last word; the agent swept in its place. */
  | { readonly type: "shim-lost"; readonly at: number; readonly receipt: Receipt }
  /** Comes after `ended` or `shim-lost`: no log file of the attempt grows any more. Stream name → final size in bytes. */
  | { readonly type: "drained"; readonly at: number; readonly sizes: Readonly<Record<string, number>> };

export type AttemptStatus = { readonly attempt: number; readonly phase: "armed" | "launched" | "stopping" | "ended"; readonly pids: number };

const path = z.string().max(4096);
export const prepareReply = z.object({
  dir: path, // the job's working directory
  python: path.nullable(), // after setup
  /** Those of `modules` that this python does not have; null or absent: not asked, or it did not say. */
  lacks: z.array(z.string().max(256)).max(16).nullable().optional(),
  scratch: path.nullable(),
  notes: z.array(z.string().max(4096)).max(100),
  scriptSha256: z.string().max(64).nullable(),
  /** Variables of the captured environment, names only: no default of ours replaces them. */
  sessionNames: z.array(z.string().max(1024)).max(10_000),
});
export type PrepareReply = z.infer<typeof prepareReply>;
export const armReply = z.object({ ports: z.array(z.int().min(1).max(65_535)).max(16), dir: path, socket: path });
/** `id` changes when the file does. */
export const checkpointPiece = z.object({ data: z.string().max(CHECKPOINT_PIECE * 1.5), size: z.int().nonnegative(), id: z.string().max(128) });
export type CheckpointPiece = z.infer<typeof checkpointPiece>;
export const secretsReply = z.object({ secrets: z.record(z.string(), z.string()) });
export const samplesReply = z.object({ id: z.string().max(64) });
/** absent: nothing of the attempt was ever started there, and nothing of it will be. */
export const stopReply = z.object({ absent: z.boolean() });
/** rebuilt.count: how often the agent's disk has lost events; what was read before is read again. */
const rebuilt = z.object({ count: z.int().nonnegative(), why: z.string().max(8192) });
export const adoptReply = z.object({ events: z.int().nonnegative(), rebuilt: rebuilt.optional(), sessionNames: z.array(z.string()).optional() });
export const keptReply = z.object({ record, isLinked: z.boolean(), heardMs: z.number().nonnegative() });

/** Agent → controller, text frames. `value` is checked by the caller that asked. */
export const fromAgentSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("welcome"),
    protocol: z.int(),
    version: z.string(),
    bundle: z.string(),
    key: z.string(),
    bootId: z.string(),
    pid: z.int(),
    /** It knows `samples`. */
    samples: z.literal(true).optional(),
    dirs: z.object({ bundle: z.string(), state: z.string(), runtime: z.string() }),
    /** It knows `claim`. */
    claims: z.literal(true).optional(),
    runs: z.array(z.object({ run: z.string(), epoch: z.int(), controller: z.string(), seq: z.int(), live: z.boolean() })),
  }),
  z.object({ type: z.literal("reply"), id: z.int(), ok: z.literal(true), value: z.unknown() }),
  z.object({ type: z.literal("refused"), id: z.int(), ok: z.literal(false), problem: z.custom<Problem>((v) => typeof v === "object" && v !== null) }),
  z.object({ type: z.literal("event"), run: z.string(), event: z.unknown() }),
  z.object({ type: z.literal("beat"), lagMs: z.number() }),
  /** SampleItems of cluster/telemetry/sample.ts in their order; the run checks their shape. */
  z.object({ type: z.literal("samples"), run: z.string(), items: z.array(z.unknown()).max(10_000) }),
]);
export type FromAgent = z.infer<typeof fromAgentSchema>;
