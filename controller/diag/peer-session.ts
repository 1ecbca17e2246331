/** python/probe_peer.py running on a host: lines of JSON to and from, every answer within a time; it ends when it is closed or the connection goes. */

import { createInterface } from "node:readline";
import { z } from "zod";
import { fail } from "../../cluster/errors.ts";
import { openOnHost } from "../reach/helper.ts";
import type { Transport } from "../reach/transport.ts";

const PARTS = ["shim_ports", "probe_peer_serve", "probe_peer_try", "probe_peer"];
const START_MS = 10_000;

const answer = z.object({ id: z.int(), ok: z.boolean(), value: z.unknown().optional(), text: z.string().optional() });

export type PeerSession = {
  /** Errors: HELPER_TIMEOUT, HELPER_REFUSED, LINK_LOST. */
  readonly ask: (op: "listen" | "reach" | "measure", request: Readonly<Record<string, unknown>>, withinMs: number) => Promise<unknown>;
  readonly close: () => void;
};

/** `token`: who knows it may use the host's ports; it travels on stdin. Errors: those of openOnHost, HELPER_TIMEOUT. */
export async function openPeerSession(transport: Transport, host: string, token: string, limitMs: number): Promise<PeerSession> {
  const { child } = await openInTime(transport, host, { op: "peer", token, limitS: Math.ceil(limitMs / 1000) });
  const waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>();
  let ended: Error | null = null;
  const end = (error: Error): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  createInterface(child.stdout).on("line", (line) => {
    const found = answer.safeParse(parse(line));
    if (!found.success) return end(fail("HELPER_REFUSED", { host, code: "BUG", text: line.slice(0, 200) }));
    const { id, ok, value, text } = found.data;
    const one = waiting.get(id);
    waiting.delete(id);
    if (ok) one?.resolve(value);
    else one?.reject(fail("HELPER_REFUSED", { host, code: "BUG", text: text ?? "" }));
  });
  void child.exit.then(() => end(fail("LINK_LOST", { host, why: "what ran there for its peers was ended" })));
  let lastId = 0;
  return {
    ask: async (op, request, withinMs) => {
      if (ended !== null) throw ended;
      lastId += 1;
      const id = lastId;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.set(id, { resolve, reject });
      const timer = setTimeout(() => reject(fail("HELPER_TIMEOUT", { host, seconds: Math.round(withinMs / 1000) })), withinMs);
      child.stdin.write(`${JSON.stringify({ id, op, ...request })}\n`);
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
    close: () => {
      child.stdin.end();
      child.kill();
      child.stdout.resume(); // an SSH session counts as open until its output was read to the end
    },
  };
}

/** What opens too late is ended. */
async function openInTime(transport: Transport, host: string, request: { readonly op: string } & Readonly<Record<string, unknown>>) {
  const opening = openOnHost(transport, host, request, PARTS);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(fail("HELPER_TIMEOUT", { host, seconds: START_MS / 1000 }));
    opening.then(
      ({ child }) => child.kill(),
      () => undefined,
    );
  }, START_MS);
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
