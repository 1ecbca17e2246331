/** A viewer's end of the wire to the controller: questions and streams over one unix socket. */

import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { fail, NexaError, type Problem } from "../../cluster/errors.ts";
import type { Answer, Item, Request } from "../../cluster/viewer.ts";

type WithoutId<R> = R extends Request ? Omit<R, "id"> : never;
export type Ask = WithoutId<Request>;

/** Items as they come; returns what the answer ended with. Leaving early cancels it there. */
export type Items = AsyncGenerator<Item, unknown, void>;

export type Client = {
  readonly ask: (request: Ask) => Promise<unknown>;
  /** `cancelled` ends it there; what it ended with is still told. */
  readonly stream: (request: Ask, cancelled?: AbortSignal) => Items;
  readonly close: () => void;
};

/** A reader this far behind makes the socket wait. A line may have 64 KiB. */
const QUEUE_MAX = 512;

type Pending = { readonly queue: Answer[]; wake: (() => void) | null };

/** Errors: the system's, when nothing listens there. */
export function openClient(path: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(talk(socket));
    });
  });
}

/** The same over a stream that leads there. */
export const openClientOn = (stream: Duplex): Client => talk(stream);

/** A problem that came over the wire, as the error it was. */
export function asError(problem: Problem): Error {
  const error = fail(problem.code, {});
  return Object.assign(Object.create(NexaError.prototype) as NexaError, {
    ...error,
    message: problem.message,
    hint: problem.hint,
    exit: problem.exit,
    stack: "",
  });
}

function talk(socket: Duplex): Client {
  const pending = new Map<number, Pending>();
  const decoder = new StringDecoder("utf8");
  let nextId = 1;
  let rest = "";
  let lost: string | null = null;

  const wakeAll = (): void => {
    for (const one of pending.values()) one.wake?.();
  };
  const give = (line: string): void => {
    const answer = JSON.parse(line) as Answer;
    const one = pending.get(answer.id);
    if (one === undefined) return; // cancelled
    one.queue.push(answer);
    if (one.queue.length > QUEUE_MAX) socket.pause();
    one.wake?.();
  };
  socket.on("data", (chunk) => {
    const lines = (rest + decoder.write(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") give(line);
  });
  const end = (why: string): void => {
    lost ??= why;
    wakeAll();
  };
  socket.on("error", (error) => end(error.message));
  socket.on("close", () => end("it closed the connection"));

  async function* stream(request: Ask, cancelled?: AbortSignal): Items {
    const id = nextId++;
    const one: Pending = { queue: [], wake: null };
    let isOver = false;
    const cancel = (): void => {
      if (!isOver && lost === null) socket.write(`${JSON.stringify({ id: nextId++, ask: "cancel", cancel: id })}\n`);
    };
    cancelled?.addEventListener("abort", cancel);
    pending.set(id, one);
    try {
      socket.write(`${JSON.stringify({ id, ...request })}\n`);
      for (;;) {
        const answer = one.queue.shift();
        if (answer === undefined) {
          if (lost !== null) throw fail("CONTROLLER_LOST", { why: lost });
          await new Promise<void>((wake) => {
            one.wake = wake;
          });
          one.wake = null;
          continue;
        }
        if (one.queue.length === 0 && socket.isPaused()) socket.resume();
        if ("item" in answer) {
          yield answer.item;
          continue;
        }
        isOver = true;
        if ("problem" in answer) throw asError(answer.problem);
        return answer.end;
      }
    } finally {
      pending.delete(id);
      if (socket.isPaused()) socket.resume();
      cancelled?.removeEventListener("abort", cancel);
      cancel();
    }
  }

  return {
    stream,
    ask: async (request) => {
      const items = stream(request);
      for (;;) {
        const { done, value } = await items.next();
        if (done === true) return value;
      }
    },
    close: () => {
      lost ??= "closed";
      socket.destroy();
    },
  };
}
