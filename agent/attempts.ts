/** Attempts on this host: follow the shim of each until it is over, arm, launch, stop. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fail } from "../cluster/errors.ts";
import type { ShimCommand } from "../cluster/shim-contract.ts";
import { type Agent, shimKey } from "./agent-state.ts";
import { armFailure } from "./arm-failure.ts";
import { isStream } from "./log-streams.ts";
import { isAlive } from "./process-start.ts";
import { addEvent, attemptDir, type Run, readMissed, viewOf, waitFor } from "./run.ts";
import { connectShim } from "./shim-link.ts";
import { type ArmRequest, mendArmSpec, readArmSpec, startShim, sweep, wasStarted, writeArmSpec } from "./shim-start.ts";

/** From the start of a shim to its word that it is armed; holding ports takes milliseconds, a cold NFS python seconds. */
const ARMED_MS = 30_000;
const LAUNCHED_MS = 60_000;
/** A shim that we know nothing of yet may still be on its way to its socket. */
const UNKNOWN_MS = 5000;

/** After a restart: every attempt that is not over, as if we had never been away. */
export function readopt(agent: Agent): void {
  for (const run of agent.runs.values()) {
    for (const name of readdirSync(run.dir)) {
      const attempt = /^a(\d+)$/.exec(name)?.[1];
      if (attempt === undefined || (readArmSpec(run, Number(attempt)) === null && !wasStarted(run, Number(attempt)))) continue;
      if (viewOf(run, Number(attempt)).isDrained) continue;
      try {
        mendArmSpec(run, Number(attempt));
      } catch (error) {
        agent.log(`${run.run}/${attempt}: ${String(error)}`);
      }
      void follow(agent, run, Number(attempt));
    }
  }
}

/** Until the attempt is over on this host and its logs have their last byte. Never rejects. */
export function follow(agent: Agent, run: Run, attempt: number): Promise<void> {
  const key = shimKey(run, attempt);
  const known = agent.followed.get(key);
  if (known !== undefined) return known;
  const following = followToEnd(agent, run, attempt)
    .catch((error) => agent.log(`${key}: ${String(error)}`))
    .finally(() => agent.followed.delete(key));
  agent.followed.set(key, following);
  return following;
}

async function followToEnd(agent: Agent, run: Run, attempt: number): Promise<void> {
  const view = viewOf(run, attempt);
  const spec = readArmSpec(run, attempt);
  if (spec === null) return;
  const key = shimKey(run, attempt);
  const begun = Date.now();
  while (view.phase !== "ended") {
    const link = await connectShim(spec.socket, view.shimNext, (event) => {
      if (event.index === view.shimNext) addEvent(run, attempt, event);
    });
    if (link !== null) {
      agent.shims.set(key, link);
      const over = waitFor(run, 2 ** 31 - 1, () => (view.phase === "ended" ? true : null));
      await Promise.race([link.closed, over]);
      agent.shims.delete(key);
      link.close();
      continue;
    }
    if (view.armed === null) readMissed(run, attempt, false, agent.log); // it may have come and gone while there was no agent
    if (view.armed !== null ? isAlive(view.armed.pid, view.armed.start) : view.armFailed === null && Date.now() - begun < UNKNOWN_MS) {
      await delay(50);
      continue;
    }
    // The agent before this one died as it was about to start it: nothing ran, and the controller asks again.
    if (!wasStarted(run, attempt) && !agent.stopped.has(key)) return;
    readMissed(run, attempt, true, agent.log);
    if (viewOf(run, attempt).phase === "ended") break;
    if (view.armed !== null && isAlive(view.armed.pid, view.armed.start)) continue;
    addEvent(run, attempt, { type: "shim-lost", at: Date.now(), receipt: await sweep(agent, run, attempt) });
  }
  if (!view.isDrained) addEvent(run, attempt, { type: "drained", at: Date.now(), sizes: finalSizes(run, attempt) });
}

function finalSizes(run: Run, attempt: number): Record<string, number> {
  const dir = attemptDir(run, attempt);
  const names = readdirSync(dir).filter(isStream).sort();
  return Object.fromEntries(names.map((name) => [`a${attempt}/${name}`, statSync(join(dir, name)).size]));
}

export type ArmReply = { readonly ports: readonly number[]; readonly pid: number; readonly start: number; readonly dir: string; readonly socket: string };

/** Twice is once. Errors: ATTEMPT_STOPPED, ARM_FAILED, PORT_BUSY, HOST_WRITE. */
export async function arm(agent: Agent, run: Run, request: ArmRequest): Promise<ArmReply> {
  const { attempt } = request;
  const key = shimKey(run, attempt);
  if (agent.stopped.has(key)) throw fail("ATTEMPT_STOPPED", { attempt });
  const known = readArmSpec(run, attempt);
  const spec = known ?? writeArmSpec(agent, run, request);
  if (!wasStarted(run, attempt))
    await startShim(agent, spec).catch((error: unknown) => {
      if (known === null) throw error; // else one may have been on its way
    });
  void follow(agent, run, attempt);
  const view = viewOf(run, attempt);
  await waitFor(run, ARMED_MS, () => (view.armed !== null || view.armFailed !== null || view.phase === "ended" ? true : null));
  if (view.armFailed !== null) {
    const { code, text } = view.armFailed;
    throw armFailure(agent, attempt, code, text);
  }
  if (agent.stopped.has(key)) throw fail("ATTEMPT_STOPPED", { attempt });
  if (view.armed === null) throw fail("ARM_FAILED", { attempt, why: view.phase === "ended" ? "it ended at once" : "no word from it" });
  return { ports: view.armed.ports, pid: view.armed.pid, start: view.armed.start, dir: spec.dir, socket: spec.socket };
}

/** The live socket of an attempt's shim; waits a little for one that is being found again. */
async function send(agent: Agent, run: Run, attempt: number, command: ShimCommand): Promise<boolean> {
  const view = viewOf(run, attempt);
  for (let tries = 0; tries < 200 && view.phase !== "ended"; tries++) {
    const link = agent.shims.get(shimKey(run, attempt));
    if (link !== undefined) {
      // A stop may have come while we waited for the link.
      if (command.do === "launch" && agent.stopped.has(shimKey(run, attempt))) throw fail("ATTEMPT_STOPPED", { attempt });
      link.send(command);
      return true;
    }
    await delay(25);
  }
  return false;
}

type Launch = Omit<Extract<ShimCommand, { do: "launch" }>, "do">;

/** Twice is once. Errors: ATTEMPT_UNKNOWN, ATTEMPT_STOPPED, LAUNCH_FAILED. `launch` is made only when it is needed: it holds secrets. */
export async function launch(agent: Agent, run: Run, attempt: number, makeLaunch: () => Launch): Promise<void> {
  const view = run.attempts.get(attempt);
  if (view === undefined) throw fail("ATTEMPT_UNKNOWN", { run: run.run, attempt });
  if (!view.isLaunched) {
    if (agent.stopped.has(shimKey(run, attempt))) throw fail("ATTEMPT_STOPPED", { attempt });
    if (!(await send(agent, run, attempt, { do: "launch", ...makeLaunch() }))) throw fail("ATTEMPT_UNKNOWN", { run: run.run, attempt });
    await waitFor(run, LAUNCHED_MS, () => (view.isLaunched || view.launchFailed !== null || view.phase === "ended" ? true : null));
  }
  if (view.launchFailed !== null) throw fail("LAUNCH_FAILED", { attempt, why: view.launchFailed });
  if (!view.isLaunched) throw fail("LAUNCH_FAILED", { attempt, why: view.phase === "ended" ? "it was over before it was launched" : "no word from the shim" });
}

/** Always wins, also over an arm or launch that is on its way. Errors: ATTEMPT_UNKNOWN when its shim cannot be told now; ask again. */
export async function stop(agent: Agent, run: Run, attempt: number, graceMs: number, why: string): Promise<{ absent: boolean }> {
  agent.stopped.add(shimKey(run, attempt));
  if (readArmSpec(run, attempt) === null && !wasStarted(run, attempt)) return { absent: true };
  if (readArmSpec(run, attempt) === null) throw fail("ATTEMPT_UNKNOWN", { run: run.run, attempt });
  const view = viewOf(run, attempt);
  if (view.phase === "ended") return { absent: false };
  void follow(agent, run, attempt);
  const isTold = await send(agent, run, attempt, { do: "stop", graceMs, why });
  if (!isTold && viewOf(run, attempt).phase !== "ended") throw fail("ATTEMPT_UNKNOWN", { run: run.run, attempt });
  return { absent: false };
}

/** Resolves when nothing is followed any more: the last event of each attempt is written. */
export async function settled(agent: Agent, run: Run): Promise<void> {
  await Promise.all([...run.attempts.keys()].map((attempt) => agent.followed.get(shimKey(run, attempt))));
}
