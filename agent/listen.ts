/** The agent's only door: a 0600 unix socket, HTTP upgrade to WebSocket, a hello with the token within HELLO_MS. */

import { createHash, timingSafeEqual } from "node:crypto";
import { chmodSync } from "node:fs";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { type RawData, type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import * as z from "zod";
import { CLOSE, HELLO_MS, MAX_FRAME, PROTOCOL } from "../cluster/protocol.ts";

// Not an import: that evaluates every export of the module, and its WebSocket pulls undici in, 14 MB of an agent's memory in Node 24.
const { createServer } = process.getBuiltinModule("node:http");

const CONNECTIONS_MAX = 16;
/** A hello of any protocol version, so that a mismatch is answered in words. */
const hello = z.object({ type: z.literal("hello"), protocol: z.int(), token: z.string().max(256), controller: z.string().min(1).max(64) });
const anyHello = z.object({ type: z.literal("hello"), protocol: z.int() });

export type Peer = { readonly onMessage: (data: RawData, isBinary: boolean) => void; readonly onClose: () => void };
export type Greeting = { readonly controller: string };

/** `accept` gets sockets whose hello was right. */
export function listen(path: string, token: string, accept: (socket: WebSocket, greeting: Greeting) => Peer, log: (text: string) => void): Promise<Server> {
  const limits = { maxFragments: 64, maxBufferedChunks: 1024 }; // ws has them, its types do not
  const options: ServerOptions = { noServer: true, perMessageDeflate: false, maxPayload: MAX_FRAME, clientTracking: false, ...limits };
  const sockets = new WebSocketServer(options);
  const server = createServer((_, response) => response.writeHead(426, { connection: "close" }).end("WebSocket only\n"));
  server.headersTimeout = HELLO_MS;
  server.requestTimeout = HELLO_MS;
  server.maxHeadersCount = 32;
  server.maxConnections = CONNECTIONS_MAX;
  // Counts from the connection on: a peer that sends a byte a second gets no further than one that sends none.
  server.on("connection", (socket: Socket) => {
    const timer = setTimeout(() => socket.destroy(), HELLO_MS + 1000);
    socket.once("close", () => clearTimeout(timer));
    socket.once("nexadist-greeted", () => clearTimeout(timer));
    socket.on("error", () => socket.destroy());
  });
  server.on("clientError", (_, socket) => socket.destroy());
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (link) => greet(link, token, accept, () => socket.emit("nexadist-greeted"), log));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const umask = process.umask(0o177);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
    });
    process.umask(umask);
  });
}

function greet(
  socket: WebSocket,
  token: string,
  accept: (socket: WebSocket, greeting: Greeting) => Peer,
  greeted: () => void,
  log: (text: string) => void,
): void {
  let peer: Peer | null = null;
  const refuse = (code: number, reason: string): void => {
    socket.close(code, reason);
    setTimeout(() => socket.terminate(), 1000).unref();
  };
  const timer = setTimeout(() => refuse(CLOSE.malformed, `no hello within ${HELLO_MS / 1000} s`), HELLO_MS);
  socket.on("error", () => undefined); // ws closes with the code of the error itself
  socket.on("close", () => {
    clearTimeout(timer);
    peer?.onClose();
  });
  socket.on("message", (data, isBinary) => {
    if (peer !== null) return peer.onMessage(data, isBinary);
    if (socket.readyState !== socket.OPEN) return;
    clearTimeout(timer);
    const found = isBinary ? null : parseJson((data as Buffer).toString("utf8"));
    const said = anyHello.safeParse(found);
    if (!said.success) return refuse(CLOSE.malformed, "the first message must be a hello");
    if (said.data.protocol !== PROTOCOL) return refuse(CLOSE.protocol, `the agent speaks protocol ${PROTOCOL}, the controller ${said.data.protocol}`);
    const full = hello.safeParse(found);
    if (!full.success) return refuse(CLOSE.malformed, "the hello cannot be read");
    if (!isSame(full.data.token, token)) {
      log("a hello with a wrong token was refused");
      return refuse(CLOSE.token, "wrong token");
    }
    greeted();
    peer = accept(socket, { controller: full.data.controller });
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** In a time that tells nothing of either: digests have one length. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
