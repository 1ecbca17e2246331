/** One WebSocket to one agent: hello, commands and their replies, frames both ways, beats. Knows nothing of runs. */

import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { ERRORS, fail, type NexaError, type Problem } from "../../cluster/errors.ts";
import { type BinaryHeader, unpackFrame } from "../../cluster/frame.ts";
import {
  BEAT_MS,
  CLOSE,
  type Command,
  type FromAgent,
  fromAgentSchema,
  HELLO_MS,
  MAX_FRAME,
  PROTOCOL,
  SILENCE_MS,
  type ToAgent,
  UNSEEN_MS,
} from "../../cluster/protocol.ts";

export type Welcome = FromAgent & { type: "welcome" };

export type LinkHandlers = {
  /** `event` is as it came: the run checks its shape. */
  readonly onEvent: (run: string, event: unknown) => void;
  /** Nothing came for UNSEEN_MS; the link is kept until SILENCE_MS. */
  readonly onSilent: (why: string) => void;
  readonly onHeard: () => void;
  readonly onFrame: (header: BinaryHeader, data: Uint8Array) => void;
};

type Asked = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

export type AgentLink = {
  readonly welcome: Welcome;
  /** Errors: what the agent refused with, LINK_LOST when the link went before the reply. */
  readonly command: (command: Command) => Promise<unknown>;
  /** Resolves when the socket can take more. */
  readonly send: (frame: Uint8Array) => Promise<void>;
  /** Runs `argv` there; resolves with {code, signal} at its end. It waits in its writes while what `output` gives is not settled. */
  readonly exec: (argv: string[], output: (fd: 1 | 2, data: Buffer) => unknown, onCancel: (cancel: () => void) => void) => Promise<unknown>;
  readonly ack: (run: string, events: number | undefined, cursors: Record<string, number> | undefined, samples?: number) => void;
  /** Samples of that run as they come, not looked at; returns how to leave. */
  readonly takeSamples: (run: string, take: (items: readonly unknown[]) => void) => () => void;
  readonly closed: Promise<string>;
  readonly close: () => void;
};

/** Output of a command that may be on its way before the agent stops reading it, in bytes. */
const EXEC_WINDOW = 1024 * 1024;
/** Agents on a slow link may hold this many bytes of ours before `send` waits. */
const SEND_HIGH = 1024 * 1024;

/** Errors: VERSION_MISMATCH, TOKEN_REFUSED, LINK_LOST. `stream` is a connection to the agent's unix socket. */
export function openLink(host: string, stream: Duplex, token: string, controller: string, handlers: LinkHandlers): Promise<AgentLink> {
  const socket = new WebSocket("ws://agent/", {
    createConnection: () => asSocket(stream),
    perMessageDeflate: false,
    maxPayload: MAX_FRAME,
    handshakeTimeout: 10_000,
  });
  const waiting = new Map<number, Asked>();
  const sending = new Set<(error: Error) => void>();
  const outputs = new Map<number, (fd: 1 | 2, data: Buffer) => unknown>();
  const samplers = new Map<string, (items: readonly unknown[]) => void>();
  let ids = 0;
  let heard = Date.now();
  let isUnseen = false;
  let reason = "the link broke";
  const say = (message: ToAgent): void => socket.send(JSON.stringify(message));
  const { promise: closed, resolve: settle } = Promise.withResolvers<string>();

  return new Promise((resolve, reject) => {
    const beat = setInterval(() => {
      const silentMs = Date.now() - heard;
      if (silentMs > SILENCE_MS) return end(1006, `nothing heard for ${Math.round(silentMs / 1000)} s`);
      if (silentMs > UNSEEN_MS && !isUnseen) {
        isUnseen = true;
        handlers.onSilent(`nothing heard for ${Math.round(silentMs / 1000)} s`);
      }
      if (socket.readyState === WebSocket.OPEN) say({ type: "beat" });
    }, BEAT_MS);

    const welcomed = setTimeout(() => socket.terminate(), HELLO_MS * 2); // a peer that only beats is no agent
    void closed.then(() => clearTimeout(welcomed));
    socket.on("open", () => say({ type: "hello", protocol: PROTOCOL, token, controller }));
    socket.on("error", (error) => (reason = error.message));
    let isEnded = false;
    /** At once, whatever the channel does: one whose other side is dead never tells its end. */
    const end = (code: number, why: string): void => {
      if (isEnded) return;
      isEnded = true;
      clearInterval(beat);
      reason = why;
      const error = closeError(host, code, reason);
      for (const { reject: refuse } of waiting.values()) refuse(error);
      waiting.clear();
      for (const refuse of sending) refuse(error); // an SSH channel that breaks forgets what was not written yet
      sending.clear();
      socket.terminate();
      stream.destroy();
      reject(error);
      settle(reason);
    };
    socket.on("close", (code, text) => end(code, text.length > 0 ? text.toString() : reason));
    socket.on("message", (data, isBinary) => {
      heard = Date.now();
      if (isUnseen) handlers.onHeard();
      isUnseen = false;
      const bytes = data as Buffer;
      try {
        if (isBinary) {
          const { header, data: body } = unpackFrame(bytes);
          if (header.t === "exec") onOutput(header.id, header.fd, Buffer.from(body));
          else handlers.onFrame(header, body);
        } else take(fromAgentSchema.parse(JSON.parse(bytes.toString("utf8"))));
      } catch (error) {
        reason = `the agent sent what cannot be read: ${error instanceof Error ? error.message : ""}`;
        socket.close(CLOSE.malformed);
      }
    });

    const onOutput = (id: number, fd: 1 | 2, data: Buffer): void => {
      const taken = (): void => {
        if (socket.readyState === WebSocket.OPEN) say({ type: "ack", run: "", exec: { id, bytes: data.length } });
      };
      void Promise.resolve(outputs.get(id)?.(fd, data)).then(taken, taken);
    };

    const take = (message: FromAgent): void => {
      if (message.type === "welcome") clearTimeout(welcomed);
      if (message.type === "welcome") resolve({ welcome: message, command, exec, send, ack, takeSamples, closed, close: () => socket.close(CLOSE.bye) });
      else if (message.type === "event") handlers.onEvent(message.run, message.event);
      else if (message.type === "samples") samplers.get(message.run)?.(message.items);
      else if (message.type === "reply") settleCommand(message.id, (asked) => asked.resolve(message.value));
      else if (message.type === "refused") settleCommand(message.id, (asked) => asked.reject(fromProblem(host, message.problem)));
    };
    const settleCommand = (id: number, how: (asked: Asked) => void): void => {
      const asked = waiting.get(id);
      waiting.delete(id);
      if (asked !== undefined) how(asked);
    };

    const command = (order: Command): Promise<unknown> =>
      new Promise((done, refuse) => {
        if (socket.readyState !== WebSocket.OPEN) return refuse(fail("LINK_LOST", { host, why: reason }));
        const id = ++ids;
        const text = JSON.stringify({ type: "command", id, command: order } satisfies ToAgent);
        if (Buffer.byteLength(text) > MAX_FRAME) return refuse(new RangeError(`the command ${order.do} is ${text.length} bytes, more than a frame takes`));
        waiting.set(id, { resolve: done, reject: refuse });
        socket.send(text);
      });
    const exec: AgentLink["exec"] = (argv, output, onCancel) => {
      const done = command({ do: "exec", argv, cwd: null, env: {}, window: EXEC_WINDOW });
      const id = ids; // what `command` has just taken
      outputs.set(id, output);
      onCancel(() => void command({ do: "exec-kill", target: id }).catch(() => undefined));
      return done.finally(() => outputs.delete(id));
    };
    const send = (frame: Uint8Array): Promise<void> =>
      new Promise((done, refuse) => {
        if (socket.readyState !== WebSocket.OPEN) return refuse(fail("LINK_LOST", { host, why: reason }));
        if (socket.bufferedAmount + frame.length <= SEND_HIGH) {
          socket.send(frame, { binary: true });
          return done();
        }
        sending.add(refuse);
        socket.send(frame, { binary: true }, (error) => {
          sending.delete(refuse);
          if (error) refuse(fail("LINK_LOST", { host, why: error.message }));
          else done();
        });
      });
    const takeSamples: AgentLink["takeSamples"] = (run, take) => {
      samplers.set(run, take);
      return () => void (samplers.get(run) === take && samplers.delete(run));
    };
    const ack: AgentLink["ack"] = (run, events, cursors, samples) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      say({
        type: "ack",
        run,
        ...(events === undefined ? {} : { events }),
        ...(cursors === undefined ? {} : { cursors }),
        ...(samples === undefined ? {} : { samples }),
      });
    };
  });
}

function closeError(host: string, code: number, reason: string): NexaError {
  if (code === CLOSE.protocol) return fail("VERSION_MISMATCH", { host, why: reason });
  if (code === CLOSE.token) return fail("TOKEN_REFUSED", { host });
  return fail("LINK_LOST", { host, why: reason });
}

/** An agent's problem as the error it was there. */
function fromProblem(host: string, problem: Problem): NexaError {
  const text = String(problem.message).slice(0, 4096);
  if (!Object.hasOwn(ERRORS, problem.code)) return fail("HOST_REFUSED", { host, text }); // of a newer agent, or nonsense
  const error = fail(problem.code, {});
  error.message = text;
  return Object.assign(error, { hint: String(problem.hint).slice(0, 1024) });
}

/** ws wants a net.Socket; an SSH channel is a Duplex that lacks its knobs. */
function asSocket(stream: Duplex): Duplex {
  const socket = stream as Duplex & Record<string, unknown>;
  for (const knob of ["setNoDelay", "setTimeout", "setKeepAlive", "ref", "unref"]) socket[knob] ??= () => socket;
  process.nextTick(() => stream.emit("connect"));
  return stream;
}
