/** The run's claims on GPUs of this host: asked of a small program that holds them and outlives this agent. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ClaimReply, claimReply } from "../cluster/claims/claim.ts";
import { fail } from "../cluster/errors.ts";
import type { Command } from "../cluster/protocol.ts";
import type { Agent } from "./agent-state.ts";
import type { Run } from "./run.ts";

/** A cold Python on a slow disk takes seconds to be there. */
const START_MS = 15_000;
/** nvidia-smi has 5 s of them. */
const ANSWER_MS = 12_000;
const SAID_MAX = 4000;
export const KEEP_EVERY_MS = 60_000;

export function claimSocket({ config }: Agent, run: Run): string {
  const name = createHash("sha256").update(run.run).digest("hex").slice(0, 12);
  return join(config.runtimeDir, `${name}.gpus`);
}

type Claim = Extract<Command, { do: "claim" }>;

/** Twice is once. Errors: HOLDER_LOST. */
export async function claimGpus(agent: Agent, run: Run, { want, gpus, name, by, requestedAt, mayQueue, force }: Claim): Promise<ClaimReply> {
  const question = { do: "claim", run: run.run, name, by, requestedAt, want, gpus, mayQueue, force };
  const socket = (await connect(claimSocket(agent, run))) ?? (await startHolder(agent, run));
  if (typeof socket === "string") return { ok: false, unusable: socket };
  return claimReply.parse(await ask(socket, question));
}

export async function unclaim(agent: Agent, run: Run): Promise<object> {
  const socket = await connect(claimSocket(agent, run));
  if (socket !== null) await ask(socket, { do: "unclaim" });
  return {};
}

/** The run is over here. */
export async function endClaim(agent: Agent, run: Run): Promise<void> {
  if (!existsSync(claimSocket(agent, run))) return;
  const socket = await connect(claimSocket(agent, run));
  if (socket !== null) await ask(socket, { do: "end" }).catch((error: unknown) => agent.log(`${run.run}: ${String(error)}`));
}

/** Its GPUs stay the run's between two attempts; who is not told so for long lets them go. */
export async function keepClaim(agent: Agent, run: Run): Promise<void> {
  const socket = existsSync(claimSocket(agent, run)) ? await connect(claimSocket(agent, run)) : null;
  if (socket !== null) await ask(socket, { do: "keep" }).catch(() => undefined);
}

async function connect(path: string): Promise<Socket | null> {
  const socket = createConnection(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    return null;
  }
}

/** A link to it, or why it cannot be had there at all. Errors: HOLDER_LOST. */
async function startHolder(agent: Agent, run: Run): Promise<Socket | string> {
  const { HOME, PATH, LANG, USER } = process.env;
  const path = claimSocket(agent, run);
  const child = spawn(agent.config.python, ["-I", "-S", join(agent.config.bundleDir, "claim_holder.py"), path], {
    cwd: "/",
    env: { HOME, PATH, LANG, USER },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  let said = "";
  let exit: number | null | undefined;
  child.stderr.on("data", (data) => {
    said = (said + data).slice(-SAID_MAX);
  });
  child.on("error", (error) => {
    said += error.message;
    exit = null;
  });
  child.on("close", (code) => {
    exit = code;
  });
  for (const until = Date.now() + START_MS; Date.now() < until; await delay(10)) {
    const socket = existsSync(path) ? await connect(path) : null;
    if (socket !== null) {
      child.stderr.destroy();
      child.unref();
      return socket;
    }
    if (exit === 1) return said.trim().split("\n").at(-1) ?? "";
    if (exit !== undefined && exit !== 0) break; // 0: another one of the run is on its way
  }
  throw fail("HOLDER_LOST", { why: said.trim().split("\n").at(-1) || "it did not start" });
}

/** Errors: HOLDER_LOST. */
async function ask(socket: Socket, question: object): Promise<unknown> {
  let said = "";
  try {
    socket.setEncoding("utf8").setTimeout(ANSWER_MS, () => socket.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
    socket.write(`${JSON.stringify(question)}\n`);
    for await (const text of socket) {
      said += text;
      if (said.endsWith("\n")) break;
    }
    return JSON.parse(said);
  } catch (error) {
    throw fail("HOLDER_LOST", { why: error instanceof Error ? error.message : String(error) }, error);
  } finally {
    socket.destroy();
  }
}
