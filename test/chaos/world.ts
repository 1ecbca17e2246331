/** Where the faults happen: a lab of three hosts and a spare, a controller, and one run that lives for as long as it can. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent } from "../../cluster/run/events.ts";
import { FAULTS_MAX } from "../../cluster/run/policy.ts";
import { replay } from "../../cluster/run/reduce.ts";
import { hostsOf, isOver, type RankState, type RunState } from "../../cluster/run/state.ts";
import { openSeat, readJournal, type Seat, until, waitFor } from "../support/controller.ts";
import { type Lab, type LabHost, startLab } from "../support/lab.ts";
import { processesOf, type Seen } from "../support/lab-processes.ts";
import { type Note, readNote, TRAINER } from "./trainer.ts";

/** Its disk is small enough to be filled; it keeps nothing over a power-off. */
export const SMALL_DISK = "gpu-c";
const MEMBERS = 3;
/** On a loaded machine torch alone takes ten seconds to load. */
export const PATIENT_MS = 150_000;
/** A run that has grown long is replayed at every look. */
const ATTEMPTS_MAX = 30;

export type World = {
  readonly lab: Lab;
  readonly seat: Seat;
  /** The run that trains, a fresh one when there is none to go on with. `isFresh`: whatever there is. */
  readonly train: (isFresh: boolean) => Promise<RunState>;
  readonly state: (run: string) => RunState;
  readonly events: (run: string) => readonly RunEvent[];
  readonly wait: <T>(run: string, what: string, look: (events: readonly RunEvent[], state: RunState) => T | null | undefined | false) => Promise<T>;
  /** By the address that the run calls it. */
  readonly host: (address: string) => LabHost;
  readonly processes: (address: string) => Promise<readonly Seen[]>;
  readonly note: (run: string, attempt: number, rank: Pick<RankState, "rank" | "host">) => Promise<Note | null>;
  /** Every rank of the present attempt has taken so many steps. */
  readonly stepping: (run: string, attempt: number, steps?: number) => Promise<RunState>;
  /** After a surprise: every host on and its links whole, no run. */
  readonly mend: () => Promise<void>;
  readonly end: () => Promise<void>;
};

export async function openWorld(): Promise<World> {
  const endings: (() => unknown)[] = [];
  const t = { after: (fn: () => unknown) => void endings.unshift(fn) } as unknown as Parameters<typeof startLab>[0];
  const end = async (): Promise<void> => {
    for (const one of endings.splice(0)) await one();
  };
  try {
    const lab = await startLab(t, { hosts: MEMBERS + 1, gpus: 0, options: { "*": { path: "train" }, [SMALL_DISK]: { disk: "700m" } } });
    return inhabit(lab, openSeat(t, lab), end);
  } catch (error) {
    await end();
    throw error;
  }
}

function fileOf(lab: Lab): string {
  const entry = ({ address }: LabHost): string => `{host: ${address}, slots: 1}`;
  return `cluster: [${lab.hosts.slice(0, MEMBERS).map(entry).join(", ")}]
spares: [${lab.hosts.slice(MEMBERS).map(entry).join(", ")}]
defaults: {gpus: 0}
paths: {checkpoints: chaos/saves}
restart: {backoff: 0s, on_host_loss: spare, on_hang: restart}
timeouts: {stop_grace: 2s, hang: 8s, first_step: 120s}
`;
}

function inhabit(lab: Lab, seat: Seat, end: () => Promise<void>): World {
  let run = "";
  let count = 0;
  seat.write("c.yaml", fileOf(lab));
  seat.write("chaos.py", TRAINER);
  const host = (address: string): LabHost => lab.hosts.find((each) => each.address === address) ?? raise(`no host ${address}`);
  const events = (of: string): readonly RunEvent[] => readJournal(seat.stateDir, of).map((line) => line.event);
  const state = (of: string): RunState => replay(events(of));
  const wait: World["wait"] = (of, what, look) => waitFor(seat.stateDir, of, what, look, PATIENT_MS);

  const note: World["note"] = async (of, attempt, { rank, host: address }) => {
    const first = await host(address).pid();
    if (first === 0) return null;
    try {
      return readNote(readFileSync(join(`/proc/${first}/root/root/chaos`, `${of}-${attempt}-${rank}`), "utf8"));
    } catch {
      return null;
    }
  };
  const stepping: World["stepping"] = async (of, attempt, steps = 12) => {
    const now = await wait(of, `attempt ${attempt} runs`, (_, seen) => {
      if (isOver(seen) || seen.attempt > attempt)
        raise(`${of}: attempt ${attempt} was awaited, it is ${seen.phase} in attempt ${seen.attempt}: ${tellPast(seen)}`);
      return seen.attempt === attempt && seen.phase === "running" ? seen : null;
    });
    for (const rank of Object.values(now.ranks)) {
      const isFarEnough = async (): Promise<boolean> => ((await note(of, attempt, rank))?.size ?? 0) >= steps * 64;
      await until(`rank ${rank.rank} of attempt ${attempt} steps`, isFarEnough, PATIENT_MS).catch((error: unknown) => {
        const seen = state(of);
        throw new Error(`${error instanceof Error ? error.message : String(error)}; ${seen.phase} in attempt ${seen.attempt}: ${tellPast(seen)}`);
      });
    }
    return now;
  };

  /** All hosts are there and owe nothing, no host is near being set aside. */
  const canGoOn = (seen: RunState): boolean =>
    seen.phase === "running" &&
    seen.attempt < ATTEMPTS_MAX &&
    hostsOf(seen).every((each) => each.seen && each.lost === null && each.faults < FAULTS_MAX - 1 && (!each.mayRun || seen.members.includes(each.name)));

  const mend = async (): Promise<void> => {
    for (const { name } of lab.hosts) {
      await lab.unblock("controller", name);
      await lab.unblock(name, "controller", "oneway");
      const each = lab.host(name);
      if ((await each.pid()) === 0) await each.boot();
      await each.link("up");
      await each.thaw();
      await each.run(["rm", "-f", "/root/fill"]);
    }
    if (run !== "") await seat.cli(["stop", "--now", run]);
    run = "";
  };
  const train: World["train"] = async (isFresh) => {
    if (run !== "") {
      const seen = state(run);
      if (!isFresh && canGoOn(seen)) return stepping(run, seen.attempt);
      const { code, out, err } = await seat.cli(["stop", "--now", run]);
      if (code !== 0) throw new Error(`stop ended with ${code}: ${out}${err}`);
    }
    for (const each of lab.hosts) await each.run(["rm", "-rf", "/root/chaos"]);
    run = await seat.up(["c.yaml", "--name", `chaos${++count}`, "--", "chaos.py"]);
    return stepping(run, 1);
  };
  return { lab, seat, train, state, events, wait, host, processes: (address) => processesOf(lab, host(address).name), note, stepping, mend, end };
}

export const tellPast = (state: RunState): string =>
  [state.failure?.text ?? "", ...state.past.slice(-2).map(({ attempt, cause }) => `attempt ${attempt}: ${cause.text}`)]
    .filter((text) => text !== "")
    .join("; ");

export function raise(text: string): never {
  throw new Error(text);
}
