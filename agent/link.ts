/** One controller's WebSocket after its hello: commands in, replies, events and logs out, a pulse both ways. */

import type { RawData, WebSocket } from "ws";
import { toProblem } from "../cluster/errors.ts";
import { unpackFrame } from "../cluster/frame.ts";
import { BEAT_MS, CLOSE, type Command, type FromAgent, SILENCE_MS, toAgentSchema } from "../cluster/protocol.ts";
import { heardKey } from "./agent-state.ts";
import type { BlobReceiver } from "./blob-store.ts";
import { type CommandContext, claim, perform, readRecordOf, status } from "./commands.ts";
import { type Execs, makeExecs } from "./exec.ts";
import { knock } from "./knock.ts";
import { type LogTail, tailLogs } from "./log-tail.ts";
import type { Run } from "./run.ts";
import { type Feed, feedSamples } from "./telemetry/feed.ts";
import type { Sampler } from "./telemetry/sampler.ts";

/** Logs and command output wait beyond this; a peer that lets the rest grow to the limit is closed. */
const ROOM_BYTES = 1024 * 1024;
const LIMIT_BYTES = 32 * 1024 * 1024;
/** A loop that stalled this long must not blame the peer for its silence. */
const STALL_MS = 1000;

type Subscription = { readonly run: Run; readonly close: () => void; readonly tail: LogTail };

export type Link = {
  readonly controller: string;
  readonly onMessage: (data: RawData, isBinary: boolean) => void;
  readonly onClose: () => void;
  readonly send: (message: FromAgent) => void;
  readonly close: (code: number, reason: string) => void;
  /** Whether this link has commanded the run. */
  readonly holds: (run: Run) => boolean;
  /** Since anything came over it. */
  readonly heardMs: () => number;
};

export type LinkContext = CommandContext & { readonly countLinks: () => number; readonly quit: () => void; readonly sampler: Sampler };

export function openLink(context: LinkContext, socket: WebSocket, controller: string): Link {
  const { agent } = context;
  const subscriptions = new Map<string, Subscription>();
  const feeds = new Map<string, Feed>();
  const claimed = new Set<string>();
  const roomWaiters = new Set<() => void>();
  const blobs: BlobReceiver = context.blobs.receive();
  let heardAt = Date.now();
  let tickedAt = Date.now();
  let isClosed = false;
  let isClosing = false;

  const close = (code: number, reason: string): void => {
    if (isClosed || isClosing) return;
    isClosing = true;
    socket.close(code, reason.slice(0, 120));
    // A peer that does not even answer the close.
    setTimeout(() => socket.terminate(), 1000).unref();
  };
  const hasRoom = (): boolean => !isClosed && socket.bufferedAmount < ROOM_BYTES;
  const sent = (): void => {
    if (roomWaiters.size === 0 || !hasRoom()) return;
    const waiters = [...roomWaiters];
    roomWaiters.clear();
    for (const tell of waiters) tell();
  };
  const push = (data: string | Uint8Array): void => {
    if (isClosed || socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > LIMIT_BYTES) return close(CLOSE.slow, "this link takes less than it asks for");
    socket.send(data, { binary: typeof data !== "string" }, sent);
  };
  const send = (message: FromAgent): void => push(JSON.stringify(message));
  const whenRoom = (then: () => void): void => {
    roomWaiters.add(then);
  };
  const execs: Execs = makeExecs({ sendFrame: push, hasRoom, whenRoom });

  const subscribe = (run: Run, from: number, cursors: Readonly<Record<string, number>>): void => {
    subscriptions.get(run.run)?.close();
    let next = from;
    const tell = (): void => {
      for (; next < run.durable && !isClosed; next++) {
        const event = run.events[next];
        if (event !== undefined) send({ type: "event", run: run.run, event });
      }
    };
    run.listeners.add(tell);
    tell();
    const tail = tailLogs(run, cursors, { hasRoom, sendFrame: push }, agent.log);
    const stopAll = (): void => {
      run.listeners.delete(tell);
      tail.close();
      subscriptions.delete(run.run);
    };
    subscriptions.set(run.run, { run, tail, close: stopAll });
  };

  const feed = (run: Run, from: number): void => {
    feeds.get(run.run)?.close();
    feeds.set(run.run, feedSamples(context.sampler, run.run, from, run.events[0]?.at ?? Date.now(), { send, hasRoom, whenRoom }));
  };

  const dispatch = async (id: number, command: Command): Promise<unknown> => {
    switch (command.do) {
      case "exec":
        return execs.run(id, command);
      case "exec-kill":
        execs.kill(command.target);
        return {};
      case "knock":
        return knock(command.host, command.port, command.limitMs);
      case "read-record":
        return readRecordOf(context, command.run);
      case "status":
        return status(agent, context.countLinks());
      case "quit":
        setImmediate(context.quit);
        return {};
      case "subscribe": {
        const run = claim(context, command);
        claimed.add(run.run);
        setImmediate(() => !isClosed && subscribe(run, command.eventsFrom, command.cursors)); // the reply goes first
        return {};
      }
      case "samples": {
        const run = claim(context, command);
        const { id } = context.sampler.spool();
        setImmediate(() => !isClosed && feed(run, command.id === id ? command.from : 0));
        return { id };
      }
      default: {
        const asked = perform(context, command);
        if (agent.runs.get(command.run)?.record?.controller === controller) claimed.add(command.run);
        const reply = await asked;
        if (command.do === "forget") for (const each of [subscriptions, feeds]) each.get(command.run)?.close(); // not when it was refused: the run is alive
        return reply;
      }
    }
  };

  const onText = (text: string): void => {
    const message = toAgentSchema.parse(JSON.parse(text));
    if (message.type === "command") {
      const { id, command } = message;
      dispatch(id, command).then(
        (value) => send({ type: "reply", id, ok: true, value: value ?? null }),
        (error) => {
          const problem = toProblem(error);
          if (problem.code === "BUG") agent.log(`command ${command.do}: ${error instanceof Error ? error.stack : String(error)}`);
          send({ type: "refused", id, ok: false, problem });
        },
      );
    } else if (message.type === "ack") {
      if (message.exec !== undefined) execs.taken(message.exec.id, message.exec.bytes);
      if (message.samples !== undefined) feeds.get(message.run)?.ack(message.samples);
      if (message.cursors !== undefined) subscriptions.get(message.run)?.tail.ack(message.cursors);
    }
  };

  const onBinary = (data: Buffer): void => {
    const { header, data: body } = unpackFrame(data);
    if (header.t !== "blob") throw new RangeError(`a controller sends no ${header.t} frames`);
    if (!claimed.has(header.run)) return; // fenced meanwhile, or never its own
    try {
      blobs.take(header.sha256, header.offset, header.size, body);
    } catch (error) {
      agent.log(String(error)); // sync-commit will miss it
    }
  };

  const pulse = setInterval(() => {
    const now = Date.now();
    const lagMs = Math.max(0, now - tickedAt - BEAT_MS);
    tickedAt = now;
    if (lagMs > STALL_MS) heardAt = Math.max(heardAt, now - SILENCE_MS / 2);
    if (now - heardAt > SILENCE_MS) return close(CLOSE.silent, `nothing heard for ${SILENCE_MS / 1000} s`);
    send({ type: "beat", lagMs });
  }, BEAT_MS);

  return {
    controller,
    send,
    close,
    holds: (run) => claimed.has(run.run),
    heardMs: () => Date.now() - heardAt,
    onMessage: (data, isBinary) => {
      if (isClosing) return; // what was on its way behind a bad frame is not looked at
      heardAt = Date.now();
      try {
        const bytes = data as Buffer;
        if (isBinary) onBinary(bytes);
        else onText(bytes.toString("utf8"));
      } catch {
        close(CLOSE.malformed, "a frame that cannot be read");
      }
    },
    onClose: () => {
      isClosed = true;
      clearInterval(pulse);
      for (const run of claimed) agent.heard.set(heardKey(run, controller), heardAt);
      for (const each of [...subscriptions.values(), ...feeds.values()]) each.close();
      for (const tell of roomWaiters) tell();
      roomWaiters.clear();
      execs.killAll();
      blobs.close();
    },
  };
}
