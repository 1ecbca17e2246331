/** The last complete checkpoint of a run, looked for on every host that answers; `findCheckpoint` also brings it to the hosts that will need it. */

import { absentStates } from "../../cluster/checkpoint/complete.ts";
import type { Saved } from "../../cluster/checkpoint/groups.ts";
import { type Incomplete, shipments, standing } from "../../cluster/checkpoint/last-complete.ts";
import { type HostScan, scanReply } from "../../cluster/checkpoint/scan.ts";
import { fail, NexaError, toProblem } from "../../cluster/errors.ts";
import type { Checkpoint } from "../../cluster/run/cause.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { formatBytes } from "../../cluster/view/bytes.ts";
import { type AskHost, bring, type CheckpointCommand } from "./bring-checkpoint.ts";

export type { CheckpointCommand };

export type CheckpointDeps = {
  /** Before the attempt that is about to begin: `state.attempt` is the last one that was. */
  readonly state: RunState;
  /** Hosts of the coming attempt. */
  readonly members: readonly string[];
  /** The reply value; null: the host cannot be asked. It rejects as the link does. */
  readonly ask: (host: string, command: CheckpointCommand) => Promise<unknown>;
  /** What takes long, in words. */
  readonly notice?: (text: string) => void;
  /** False once nobody waits for the result any more. */
  readonly isWanted?: () => boolean;
};

export type FoundCheckpoint = {
  readonly checkpoint: Checkpoint | null;
  readonly notes: readonly string[];
  /** Steps that were saved and cannot be had; null: none are known to be. */
  readonly stepsLost: number | null;
  /** Hosts of the run that cannot be asked. */
  readonly silent: readonly string[];
};

const NOTHING: FoundCheckpoint = { checkpoint: null, notes: [], stepsLost: null, silent: [] };

/**
 * For an attempt after the first. Errors: CHECKPOINT_UNKNOWN when a member cannot say what it has, or cannot be given what it needs because its link broke: to
 * begin from nothing would throw work away. NOT_WANTED.
 */
export async function findCheckpoint(deps: CheckpointDeps): Promise<FoundCheckpoint> {
  const { state, members } = deps;
  const root = rootOf(state);
  if (root === null) return NOTHING;
  const { scans, silent, problems } = await scanAll(deps, root);
  const [mute] = members.filter((host) => silent.includes(host));
  if (mute !== undefined) throw fail("CHECKPOINT_UNKNOWN", { host: mute, why: problems.get(mute) ?? "it cannot be asked" });
  const { complete, passedOver } = standing(scans, worldOf(state), silent.length > 0);
  const notes = passedOver.map((each) => passedOverNote(each, silent));
  const had = passedOver.filter(({ wasSaved }) => wasSaved).map(({ step }) => step);
  for (const saved of complete) {
    const refused = await deliver(deps, root, saved, notes);
    if (refused === null) notes.push(...withoutStates(saved, worldOf(state)(saved.attempt), silent));
    if (refused === null) return { checkpoint: { step: saved.step, path: `${root}/${saved.name}` }, notes, stepsLost: lost(had, saved.step), silent };
    notes.push(refused);
    had.push(saved.step);
  }
  return { checkpoint: null, notes, stepsLost: lost(had, 0), silent };
}

/** As far as the hosts that answer know; nothing is moved. Never rejects. */
export async function lookForCheckpoint(deps: CheckpointDeps): Promise<Checkpoint | null> {
  const root = rootOf(deps.state);
  if (root === null) return null;
  const { scans, silent } = await scanAll(deps, root);
  const [best] = standing(scans, worldOf(deps.state), silent.length > 0).complete;
  return best === undefined ? null : { step: best.step, path: `${root}/${best.name}` };
}

const rootOf = ({ spec }: RunState): string | null => spec.paths.checkpoints?.replace(/(?<=.)\/+$/, "") ?? null;

const worldOf =
  (state: RunState) =>
  (attempt: number): number =>
    state.past.find((past) => past.attempt === attempt)?.world ?? state.world;

type Scanned = { readonly scans: readonly HostScan[]; readonly silent: readonly string[]; readonly problems: ReadonlyMap<string, string> };

/** All hosts of the run, spares and those that were set aside included: any may hold a part. */
async function scanAll({ state, ask }: CheckpointDeps, root: string): Promise<Scanned> {
  const problems = new Map<string, string>();
  const asked = await Promise.all(
    state.spec.hosts.map(async ({ name }): Promise<HostScan | null> => {
      try {
        const reply = await ask(name, { do: "checkpoint-scan", root });
        if (reply === null) return null;
        const { candidates, problem } = scanReply.parse(reply);
        if (problem !== "") throw fail("CHECKPOINTS_UNREAD", { path: root, why: problem });
        return { host: name, candidates };
      } catch (error) {
        problems.set(name, toProblem(error).message);
        return null;
      }
    }),
  );
  const scans = asked.filter((scan) => scan !== null);
  const silent = state.spec.hosts.map(({ name }) => name).filter((name) => !scans.some(({ host }) => host === name));
  return { scans, silent, problems };
}

/** null: every member has it now. A text: why it cannot be had by one of them. */
async function deliver(deps: CheckpointDeps, root: string, saved: Saved, notes: string[]): Promise<string | null> {
  const { members, notice = () => undefined, isWanted = () => true } = deps;
  const needed = shipments(saved, members);
  if (needed.length === 0) return null;
  const ask: AskHost = async (host, command) => {
    const reply = await deps.ask(host, command);
    if (reply === null) throw fail("CHECKPOINT_UNKNOWN", { host, why: "its link broke" });
    return reply;
  };
  try {
    await bring({ ask, root, saved, shipments: needed, notice, isWanted });
  } catch (error) {
    if (!(error instanceof NexaError) || error.code !== "CHECKPOINT_FILE") throw error; // of the moment, not of the checkpoint: it is tried again
    return `${saved.name} is complete, but cannot be brought to where it is needed: ${error.message}`;
  }
  const bytes = needed.reduce((sum, { size, to }) => sum + size * to.length, 0);
  const to = [...new Set(needed.flatMap((each) => each.to))];
  notes.push(`${saved.name}: ${needed.length === 1 ? "1 file" : `${needed.length} files`} (${formatBytes(bytes)}) brought to ${to.join(", ")}`);
  return null;
}

function withoutStates(saved: Saved, world: number, silent: readonly string[]): readonly string[] {
  const states = absentStates(saved, world);
  if (states.length === 0) return [];
  const which = states.length === 1 ? states[0] : `${states[0]} and ${states.length - 1} more`;
  return [`${saved.name} lacks ${which} (${silent.join(", ")} cannot be asked): those ranks draw other random numbers than they would have`];
}

function passedOverNote({ name, files, wasSaved }: Incomplete, silent: readonly string[]): string {
  const [first = ""] = files.map(sanitiseWord); // what an index names may be anything
  const what = first === "" ? "it" : files.length === 1 ? first : `${first} and ${files.length - 1} more`;
  if (!wasSaved) return `${name} is torn (${what}): passed over`;
  const who = silent.length === 0 ? "" : `; ${silent.join(", ")} cannot be asked`;
  return `${name} cannot be had: ${what} is on no host that answers${who}`;
}

const lost = (had: readonly number[], kept: number): number | null => {
  const furthest = Math.max(0, ...had);
  return furthest > kept ? furthest - kept : null;
};
