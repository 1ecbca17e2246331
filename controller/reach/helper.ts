/** Runs one operation of python/host.py on a host: a fixed remote command, all data on stdin, the answer framed by a nonce. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fail } from "../../cluster/errors.ts";
import { HOST_COMMAND, HOST_PARTS, NO_PYTHON, NO_PYTHON_SAID } from "../../cluster/host-program.ts";
import { readHostProgram } from "../assets.ts";
import type { RemoteProcess, Transport } from "./transport.ts";

/** A payload of which this long nothing was taken may have met a dead link; then it is asked whether it is, in less time than a keeper waits for progress. */
const STALLED_MS = 40_000;
const PROBE_MS = 10_000;

/** Output of rc files that is kept for an error text, in bytes. */
const NOISE = 64 * 1024;

export type HelperRequest = Readonly<Record<string, unknown>> & { readonly op: string };

/** Errors: NO_PYTHON, HELPER_SILENT (the host ran something else), HELPER_TIMEOUT, and the helper's own refusals as HELPER_REFUSED or a code of the table. */
export async function callHelper(
  transport: Transport,
  host: string,
  request: HelperRequest,
  payload: AsyncIterable<Uint8Array> | null = null,
  timeoutMs = 30_000,
  /** For an error text: "uploading node, 12 of 45 MB". */
  doing: () => string = () => "setting it up",
): Promise<unknown> {
  const { child, nonce } = await withinTime(startHelper(transport, request), timeoutMs, () => fail("HELPER_TIMEOUT", { host, seconds: timeoutMs / 1000 }));
  let isLate = false;
  const end = (): void => {
    child.kill();
    child.stdout.destroy(); // also where the far end ignores the kill
  };
  // A channel of a dead link never tells its end: nothing below may be waited for then.
  const { promise: linkDead, reject } = Promise.withResolvers<never>();
  const askLink = (): Promise<void> => transport.probe(PROBE_MS, doing()).catch(reject);
  const timer = setTimeout(() => {
    isLate = true;
    void askLink().then(end);
  }, timeoutMs);
  const stall = payload === null ? undefined : setTimeout(() => void askLink(), STALLED_MS);
  const ask = async (): Promise<unknown> => {
    const answer = readAnswer(child, nonce);
    if (payload !== null) await pump(payload, child, answer, () => stall?.refresh());
    child.stdin.end();
    const found = await answer;
    if (found.json === null) {
      const { code } = isLate ? { code: null } : await child.exit;
      throw code === null && !isLate ? await cut(transport, host) : silence(host, found.noise, timeoutMs, { code });
    }
    return unwrap(host, found.json);
  };
  try {
    return await Promise.race([ask(), linkDead]);
  } finally {
    clearTimeout(timer);
    clearTimeout(stall);
    child.stdout.resume(); // an SSH session counts as open until its output was read to the end
    child.kill();
  }
}

/** The helper becomes a pipe to the unix socket at `path`: for hosts whose sshd forwards no sockets. */
export const proxyThroughHelper = async (transport: Transport, host: string, path: string): Promise<RemoteProcess> =>
  (await openOnHost(transport, host, { op: "proxy", socket: path })).child;

/** `noise`: what rc files printed before it. */
export type Opened = { readonly child: RemoteProcess; readonly noise: string };

/** A program that answers and then talks on: what follows its first answer is on stdout. The caller bounds it in time and ends it. */
export async function openOnHost(transport: Transport, host: string, request: HelperRequest, parts: readonly string[] = HOST_PARTS): Promise<Opened> {
  const { child, nonce } = await startHelper(transport, request, parts);
  try {
    const found = await readAnswer(child, nonce);
    if (found.json === null) throw silence(host, found.noise, 0, await child.exit);
    unwrap(host, found.json);
    if (found.rest.length > 0) child.stdout.unshift(found.rest);
    return { child, noise: found.noise };
  } catch (error) {
    child.kill();
    throw error;
  }
}

/** A session can be waited for: where sshd allows one only and something long holds it. What comes too late is ended. */
function withinTime(starting: Promise<Started>, ms: number, late: () => Error): Promise<Started> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      reject(late());
    }, ms);
    starting.then((started) => (isLate ? started.child.kill() : resolve(started)), reject).finally(() => clearTimeout(timer));
  });
}

type Started = { readonly child: RemoteProcess; readonly nonce: string };

async function startHelper(transport: Transport, request: HelperRequest, parts: readonly string[] = HOST_PARTS): Promise<Started> {
  const program = Buffer.from(await readHostProgram(parts)).toString("base64");
  const nonce = randomBytes(12).toString("hex");
  const child = await transport.exec(HOST_COMMAND);
  child.stdin.on("error", () => undefined); // its end is told by `exit`
  child.stderr.resume();
  child.stdin.write(`${program}\n${JSON.stringify({ nonce, ...request })}\n`);
  return { child, nonce };
}

async function pump(payload: AsyncIterable<Uint8Array>, child: RemoteProcess, answer: Promise<unknown>, onTaken: () => void): Promise<void> {
  let answered = false;
  const settle = answer.then(
    () => (answered = true),
    () => (answered = true),
  );
  for await (const chunk of payload) {
    if (answered || !child.stdin.writable) return; // refused early: the answer says why; or cut: its end does
    onTaken();
    if (child.stdin.write(chunk)) continue;
    const over = new AbortController();
    await Promise.race([once(child.stdin, "drain", over), once(child.stdin, "close", over), settle]).catch(() => undefined);
    over.abort(); // takes the losers' listeners off
  }
}

type Found = { readonly json: string | null; readonly noise: string; readonly rest: Buffer };

function readAnswer(child: RemoteProcess, nonce: string): Promise<Found> {
  return new Promise((resolve) => {
    let buffer = Buffer.alloc(0);
    const mark = Buffer.from(`\n${nonce} `);
    const end = (): void => resolve({ json: null, noise: buffer.toString("utf8"), rest: Buffer.alloc(0) });
    const take = (chunk: Buffer): void => {
      buffer = Buffer.concat([buffer, chunk]);
      const from = buffer.indexOf(mark);
      const to = from < 0 ? -1 : buffer.indexOf(10, from + mark.length);
      if (to >= 0) {
        child.stdout.off("data", take).off("end", end).off("close", end);
        child.stdout.pause();
        resolve({ json: buffer.toString("utf8", from + mark.length, to), noise: buffer.toString("utf8", 0, from), rest: buffer.subarray(to + 1) });
      } else if (from < 0 && buffer.includes(NO_PYTHON_SAID)) {
        child.stdin.end(); // its end is what is waited for there
      } else if (from < 0 && buffer.length > NOISE) {
        buffer = buffer.subarray(buffer.length - NOISE);
      }
    };
    child.stdout.on("data", take).on("end", end).on("close", end);
  });
}

/** It ended without an exit status: a connection that is gone says so itself when it is used again. */
async function cut(transport: Transport, host: string): Promise<Error> {
  try {
    (await transport.exec("exit 0")).kill();
    return fail("LINK_LOST", { host, why: "what ran there to set it up was ended" });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function silence(host: string, noise: string, timeoutMs: number, exit: { code: number | null }): Error {
  const said = noise.trim().split("\n").slice(-3).join(" | ").slice(0, 300);
  if (exit.code === NO_PYTHON) return fail("NO_PYTHON", { host });
  if (exit.code === null) return fail("HELPER_TIMEOUT", { host, seconds: Math.round(timeoutMs / 1000) });
  return fail("HELPER_SILENT", { host, said, code: exit.code });
}

function unwrap(host: string, json: string): unknown {
  const answer = JSON.parse(json) as { ok: boolean; value?: unknown; code?: string; text?: string };
  if (answer.ok) return answer.value;
  if (answer.code === "DISK_FULL") throw fail("DISK_FULL", { host, text: answer.text });
  if (answer.code === "RUNS_LIVE") throw fail("RUNS_LIVE", { host, text: answer.text, ...stopsOf(answer.text) });
  throw fail("HELPER_REFUSED", { host, code: answer.code, text: answer.text });
}

/** The commands that end the runs which the host named. */
function stopsOf(text = ""): { readonly stops?: string } {
  const [, names] = /^still running here: ([\w., -]+); stop/.exec(text) ?? [];
  return names === undefined
    ? {}
    : {
        stops: names
          .split(", ")
          .map((run) => `nexadist stop ${run}`)
          .join("; "),
      };
}
