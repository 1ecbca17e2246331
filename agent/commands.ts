/** What each command of a controller does. Fenced by the run's authority, idempotent, in the order they came where order matters. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { fail } from "../cluster/errors.ts";
import { type Authority, type Command, type RunRecord, type SnapshotEntry, snapshotEntry } from "../cluster/protocol.ts";
import { isStale } from "../cluster/run/takeover.ts";
import type { Agent } from "./agent-state.ts";
import { toStatus } from "./attempt-view.ts";
import { arm, launch, settled, stop } from "./attempts.ts";
import type { BlobStore } from "./blob-store.ts";
import { readPiece, sealFile, writePiece } from "./checkpoint-files.ts";
import { scanCheckpoints } from "./checkpoint-scan.ts";
import { claimGpus, endClaim, unclaim } from "./claims.ts";
import { commitTree, readCode } from "./code-tree.ts";
import { VERSION } from "./config.ts";
import { evidence } from "./evidence.ts";
import { admit } from "./fence.ts";
import { forget } from "./forget.ts";
import type { Leader } from "./leader.ts";
import { noteOomKills } from "./oom-kills.ts";
import { completeSpawns, prepare } from "./prepare.ts";
import { beginRun, isLive, keepRecord, type Run } from "./run.ts";
import { readSecret } from "./secret-files.ts";
import { stacks } from "./stacks.ts";

type Fenced = Extract<Command, Authority & { run: string }>;

export type CommandContext = {
  readonly agent: Agent;
  readonly blobs: BlobStore;
  /** Links of other authorities over this run are closed. */
  readonly fenceOthers: (run: Run) => void;
  readonly leader: (run: Run) => Leader;
  /** Steps that must not overtake one another, by run. */
  readonly queues: Map<string, Promise<unknown>>;
};

/** The run, when this authority may command it. Errors: FENCED, RUN_NOT_ADOPTED. */
export function claim(context: CommandContext, command: Fenced): Run {
  const { agent } = context;
  const record = "record" in command ? (command.record as RunRecord) : null;
  if (record !== null && (record.run !== command.run || record.epoch !== command.epoch || record.controller !== command.controller)) {
    throw fail("USAGE", { what: "the record is not of this run and authority" });
  }
  const known = agent.runs.get(command.run);
  const kept = known?.record ?? null;
  const verdict = admit(known?.authority ?? null, command, record !== null);
  if (verdict === "fenced") throw fail("FENCED", { run: command.run, epoch: known?.authority?.epoch, by: known?.authority?.controller });
  if (verdict === "unknown-run" || (known === undefined && record === null)) throw fail("RUN_NOT_ADOPTED", { run: command.run });
  // Also from a controller that has lost lines of its own journal.
  if ((verdict === "takes-over" || command.do === "adopt") && kept !== null && record !== null && isStale(record, kept))
    throw fail("RECORD_NEWER", { run: command.run });
  const run = known ?? beginRun(join(agent.config.stateDir, "runs"), command.run, agent.log);
  if (record !== null) keepRecord(run, record);
  agent.runs.set(run.run, run);
  if (verdict === "takes-over") context.fenceOthers(run);
  return run;
}

/** Commands of a run, less those that need the link itself. */
export async function perform(context: CommandContext, command: Exclude<Fenced, { do: "subscribe" | "samples" }>): Promise<unknown> {
  const { agent, blobs } = context;
  const run = claim(context, command);
  switch (command.do) {
    case "adopt":
      return { events: run.events.length, rebuilt: run.rebuilt, attempts: [...run.attempts.values()].map(toStatus), sessionNames: sessionNamesOf(agent, run) };
    case "record":
      return {};
    case "sync-offer":
      return { missing: blobs.missing(command.hashes) };
    case "sync-commit":
      return inTurn(context, run, async () => commitTree(run, blobs, await entriesOf(blobs, command), command.tree));
    case "prepare":
      return inTurn(context, run, () => {
        const setup = new AbortController();
        agent.setups.set(run.run, setup);
        return prepare(agent.config, run, command, setup.signal).finally(() => agent.setups.delete(run.run));
      });
    case "claim":
      return inTurn(context, run, () => claimGpus(agent, run, command), "claims"); // beside a setup that takes its time
    case "unclaim":
      return inTurn(context, run, () => unclaim(agent, run), "claims");
    case "arm":
      return inTurn(context, run, async () => {
        const armed = await arm(agent, run, command);
        noteOomKills(run, command.attempt);
        return armed;
      });
    case "launch":
      return inTurn(context, run, () =>
        launch(agent, run, command.attempt, () => ({
          spawns: completeSpawns(agent.config, run.run, command.spawns, command.unset),
          ranks: command.ranks,
          stopGraceMs: command.stopGraceMs,
        })),
      ).then(() => ({}));
    case "stop":
      return stop(agent, run, command.attempt, command.graceMs, command.why); // never in turn: it must not wait for a setup
    case "evidence":
      return evidence(agent, run, command.attempt); // not in turn either: it is asked for while an attempt ends
    case "checkpoint-scan":
      return scanCheckpoints(agent, run, command.root);
    case "checkpoint-read":
      return readPiece(command);
    case "checkpoint-write":
      return writePiece(command);
    case "checkpoint-seal":
      return sealFile(run, command);
    case "read-secrets":
      return { secrets: readSecret(agent.config.secretsDir, run.run, "secrets") ?? {} };
    case "read-code":
      return readCode(run, blobs, command);
    case "stacks":
      return stacks(agent, run, command.attempt);
    case "forget":
      agent.setups.get(run.run)?.abort(); // a setup that hangs must not outlive its run
      return inTurn(context, run, async () => {
        if (isLive(run)) throw fail("USAGE", { what: `${run.run} is still alive on this host`, fix: `nexadist stop ${run.run}` });
        await settled(agent, run);
        await inTurn(context, run, () => endClaim(agent, run), "claims");
        forget(agent.config, run);
        run.journal.close();
        agent.runs.delete(run.run);
        return {};
      });
    default:
      return command satisfies never;
  }
}

function inTurn<T>({ queues }: CommandContext, run: Run, step: () => Promise<T>, kind = "steps"): Promise<T> {
  const key = `${kind}/${run.run}`;
  const turn = (queues.get(key) ?? Promise.resolve()).then(step, step);
  const settled = turn.catch(() => undefined).finally(() => queues.get(key) === settled && queues.delete(key));
  queues.set(key, settled);
  return turn;
}

/** A list too long for one frame comes as a blob. */
async function entriesOf(blobs: BlobStore, command: Extract<Command, { do: "sync-commit" }>): Promise<readonly SnapshotEntry[]> {
  if (command.manifest === undefined) return command.entries;
  const text = await readFile(blobs.pathOf(command.manifest), "utf8").catch(() => null);
  if (text === null || !(await blobs.verify(command.manifest, Buffer.byteLength(text)))) throw fail("SYNC_INCOMPLETE", { missing: 1 });
  return z.array(snapshotEntry).parse(JSON.parse(text));
}

/** For whoever holds the token: nothing changes by it. */
export function readRecordOf({ agent, leader }: CommandContext, name: string): unknown {
  const run = agent.runs.get(name);
  if (run?.record == null) throw fail("RUN_NOT_ADOPTED", { run: name });
  return { record: run.record, ...leader(run) };
}

const sessionNamesOf = ({ config }: Agent, run: Run): string[] => Object.keys(readSecret(config.secretsDir, run.run, "environment") ?? {}).sort();

export function status(agent: Agent, links: number): unknown {
  return {
    version: VERSION,
    bundle: agent.config.bundle,
    pid: process.pid,
    rssBytes: process.memoryUsage.rss(),
    uptimeMs: Math.round(process.uptime() * 1000),
    links,
    runs: [...agent.runs.values()].map((run) => ({
      run: run.run,
      epoch: run.record?.epoch ?? 0,
      controller: run.record?.controller ?? "",
      live: isLive(run),
      attempts: [...run.attempts.values()].map((view) => ({ ...toStatus(view), shim: view.armed?.pid ?? null, processes: [...view.pids.keys()] })),
    })),
  };
}
