/** python/probe_peer.py running on a host: lines of JSON to and from, every answer within a time; it ends when it is closed or the connection goes. */

import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { z } from "zod";
import { fail } from "../../cluster/errors.ts";
import { HOST_COMMAND, NO_PYTHON } from "../../cluster/host-program.ts";
import { readHostProgram } from "../assets.ts";
import type { Transport } from "../reach/transport.ts";

const PARTS = ["shim_ports", "probe_peer_serve", "probe_peer_try", "probe_peer"];
const START_MS = 10_000;

const answer = z.object({ id: z.int(), ok: z.boolean(), value: z.unknown().optional(), text: z.string().optional() });

export type PeerSession = {
  /** Errors: HELPER_TIMEOUT, HELPER_REFUSED, LINK_LOST. */
  readonly ask: (op: "listen" | "reach" | "measure", request: Readonly<Record<string, unknown>>, withinMs: number) => Promise<unknown>;
  readonly close: () => void;
};

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

/** `token`: who knows it may use the host's ports; it travels on stdin. Errors: those of the transport, NO_PYTHON, HELPER_TIMEOUT, LINK_LOST. */
export async function openPeerSession(transport: Transport, host: string, token: string, limitMs: number): Promise<PeerSession> {
  const program = Buffer.from(await readHostProgram(PARTS)).toString("base64");
  const nonce = randomBytes(12).toString("hex");
  const waiting = new Map<number, Waiting>();
  const child = await transport.exec(HOST_COMMAND);
  child.stdin.on("error", () => undefined); // its end is told by `exit`
  child.stderr.resume();
  let ended: Error | null = null;
  const end = (error: Error): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  createInterface(child.stdout).on("line", (line) => {
    if (!line.startsWith(`${nonce} `)) return;
    const found = answer.safeParse(parse(line.slice(nonce.length + 1)));
    if (!found.success) return end(fail("HELPER_REFUSED", { host, code: "BUG", text: line.slice(0, 200) }));
    const { id, ok, value, text } = found.data;
    const one = waiting.get(id);
    waiting.delete(id);
    if (ok) one?.resolve(value);
    else one?.reject(fail("HELPER_REFUSED", { host, code: "BUG", text: text ?? "" }));
  });
  void child.exit.then(({ code }) =>
    end(code === NO_PYTHON ? fail("NO_PYTHON", { host }) : fail("LINK_LOST", { host, why: "what ran there for its peers was ended" })),
  );

  const awaitAnswer = (id: number, withinMs: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (ended !== null) return reject(ended);
      const late = (): void => {
        waiting.delete(id);
        reject(fail("HELPER_TIMEOUT", { host, seconds: Math.round(withinMs / 1000) }));
      };
      const timer = setTimeout(late, withinMs);
      const settle =
        <T>(act: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          act(value);
        };
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
  const close = (): void => {
    child.stdin.end();
    child.kill();
    child.stdout.resume();
  };
  let lastId = 0;
  try {
    const begun = awaitAnswer(0, START_MS);
    child.stdin.write(`${program}\n${JSON.stringify({ nonce, token, limitS: Math.ceil(limitMs / 1000) })}\n`);
    await begun;
  } catch (error) {
    close();
    throw error;
  }
  return {
    ask: (op, request, withinMs) => {
      lastId += 1;
      const answered = awaitAnswer(lastId, withinMs);
      child.stdin.write(`${JSON.stringify({ id: lastId, op, ...request })}\n`);
      return answered;
    },
    close,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
