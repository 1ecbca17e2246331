/** Faults of processes: of ranks, of the launcher, and of our own programs. */

import { controllerPid, isRunning, until } from "../support/controller.ts";
import { isAgent, isShim, type Seen } from "../support/lab-processes.ts";
import type { Fault, Strike } from "./fault.ts";
import { raise, type World } from "./world.ts";

export const isLauncher = (each: Seen): boolean => /torch\.distributed\.run|\/torchrun /.test(each.argv) && each.mark !== "";

/** Ended between the look and the blow, by another strike. */
const isGone = (stderr: string): boolean => /No such process/.test(stderr);

export async function signal(world: World, address: string, pid: number, name: string): Promise<number> {
  const at = Date.now();
  const { exitCode, stderr } = await world.host(address).run(["kill", `-${name}`, `${pid}`]);
  if (exitCode !== 0 && !isGone(stderr)) raise(`kill -${name} ${pid} on ${address}: ${stderr}`);
  return at;
}

async function find(world: World, address: string, is: (each: Seen) => boolean, what: string): Promise<number> {
  const [found] = (await world.processes(address)).filter(is);
  return found?.pid ?? raise(`no ${what} on ${address}`);
}

/** Of several programs of one host. */
async function killOn(world: World, address: string, programs: readonly (readonly [string, (each: Seen) => boolean])[]): Promise<Strike> {
  const pids: number[] = [];
  for (const [what, is] of programs) pids.push(await find(world, address, is, what));
  const at = Date.now();
  const { exitCode, stderr } = await world.host(address).run(["kill", "-9", ...pids.map(String)]);
  if (exitCode !== 0 && !isGone(stderr)) raise(`kill on ${address}: ${stderr}`);
  return { at, who: `${programs.map(([what]) => what).join(" and ")} on ${address}`, host: address };
}

const signalRank =
  (name: string): Fault["strike"] =>
  async (world, { ranks }, luck) => {
    const victim = luck.pick(Object.values(ranks));
    return { at: await signal(world, victim.host, victim.pid, name), who: `rank ${victim.rank} on ${victim.host}`, rank: victim.rank };
  };

/** The rank finds the file before its next step and does so itself. */
const askRank =
  (what: "raise" | "exit"): Fault["strike"] =>
  async (world, { ranks }, luck) => {
    const victim = luck.pick(Object.values(ranks));
    const at = Date.now();
    await world.host(victim.host).run(["touch", `/root/chaos/${what}-${victim.rank}`]);
    return { at, who: `rank ${victim.rank} on ${victim.host}`, rank: victim.rank };
  };

const onMember =
  (...programs: readonly (readonly [string, (each: Seen) => boolean])[]): Fault["strike"] =>
  (world, { members }, luck) =>
    killOn(world, luck.pick(members), programs);

const AGENT = ["agent", isAgent] as const;
const SHIM = ["shim", isShim] as const;
const LAUNCHER = ["torchrun", isLauncher] as const;

export async function killController(world: World): Promise<Strike> {
  const pid = (await controllerPid(world.seat.stateDir)) ?? raise("no controller");
  const at = Date.now();
  process.kill(pid, "SIGKILL");
  await until("the controller's end", () => !isRunning(pid));
  return { at, who: "the controller", undo: async () => void (await world.seat.cli(["ps"])) };
}

/** Longer than every deadline of the links and of loss. */
const FROZEN_MS = 20_000;

async function freezeController(world: World): Promise<Strike> {
  const pid = (await controllerPid(world.seat.stateDir)) ?? raise("no controller");
  const at = Date.now();
  process.kill(pid, "SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, FROZEN_MS)); // the length is what is tested
  process.kill(pid, "SIGCONT");
  return { at, who: "the controller" };
}

/** One strike may end what the other one looks for. */
const isMet = (reason: unknown): boolean => reason instanceof Error && /^no \w+ on /.test(reason.message);

/** Two of them at one moment, on hosts of their own choice. */
const two: Fault["strike"] = async (world, state, luck) => {
  const kinds: Readonly<Record<string, () => Promise<Strike>>> = {
    rank: () => signalRank("KILL")(world, state, luck),
    torchrun: () => onMember(LAUNCHER)(world, state, luck),
    shim: () => onMember(SHIM)(world, state, luck),
    agent: () => onMember(AGENT)(world, state, luck),
    controller: () => killController(world),
  };
  const [one = "rank", other = "shim"] = luck.shuffle(Object.keys(kinds));
  // Of agent and controller alone nothing would be condemned.
  const pair = [one, other].every((kind) => kind === "agent" || kind === "controller") ? ["rank", one] : [one, other];
  const tried = await Promise.allSettled(pair.map((kind) => (kinds[kind] ?? raise(kind))()));
  const strikes = tried.flatMap((each) => (each.status === "fulfilled" ? [each.value] : isMet(each.reason) ? [] : raise(String(each.reason))));
  if (strikes.length === 0) raise(`neither ${pair.join(" nor ")} was there`);
  const undo = async (): Promise<void> => {
    for (const each of strikes) await each.undo?.();
  };
  return { at: Math.min(...strikes.map((each) => each.at)), who: strikes.map((each) => each.who).join("; "), undo };
};

const SIGNAL = ["signal"] as const;

export const processFaults: readonly Fault[] = [
  { name: "rank-kill", about: "a rank is killed (SIGKILL)", expect: "restart", kinds: SIGNAL, strike: signalRank("KILL") },
  { name: "rank-segv", about: "a rank ends by SIGSEGV", expect: "restart", kinds: SIGNAL, strike: signalRank("SEGV") },
  { name: "exception", about: "a rank raises an exception, once", expect: "restart", kinds: ["exception"], strike: askRank("raise") },
  { name: "exit-137", about: "a rank exits with 137, as out of memory does", expect: "restart", kinds: ["exit", "oom", "signal"], strike: askRank("exit") },
  { name: "rank-stop", about: "a rank is frozen (SIGSTOP); timeouts.hang is 8 s", expect: "restart", kinds: ["hang"], strike: signalRank("STOP") },
  { name: "torchrun-kill", about: "torchrun of a host is killed", expect: "restart", kinds: ["launcher"], strike: onMember(LAUNCHER) },
  { name: "shim-kill", about: "the shim of a host is killed", expect: "restart", kinds: ["shim"], strike: onMember(SHIM) },
  { name: "agent-shim-kill", about: "agent and shim of a host are killed", expect: "restart", kinds: ["shim"], strike: onMember(AGENT, SHIM) },
  { name: "agent-kill", about: "the agent of a host is killed", expect: "untouched", sign: (event) => event.type === "host-unseen", strike: onMember(AGENT) },
  {
    name: "controller-kill",
    about: "the controller is killed; the next command starts it",
    expect: "untouched",
    undoWhen: "at once",
    sign: (event) => event.type === "controller-started",
    strike: killController,
  },
  {
    name: "controller-stop",
    about: "the controller is frozen for 20 s",
    expect: "untouched",
    sign: (event) => event.type === "controller-woke",
    strike: freezeController,
  },
  { name: "two", about: "two of rank, torchrun, shim, agent, controller at one moment", expect: "restart", undoWhen: "at once", strike: two },
];
