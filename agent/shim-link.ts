/** The socket of one shim: events from an index on, commands the other way. It may go at any time, the shim does not mind. */

import { createConnection } from "node:net";
import type { ShimCommand, ShimEvent } from "../cluster/shim-contract.ts";

export type ShimLink = {
  readonly send: (command: ShimCommand) => void;
  readonly closed: Promise<void>;
  readonly close: () => void;
};

/** null when nobody listens there. */
export function connectShim(path: string, from: number, onEvent: (event: ShimEvent) => void): Promise<ShimLink | null> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const { promise: closed, resolve: settle } = Promise.withResolvers<void>();
    let rest = "";
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      resolve(null);
      settle();
    });
    socket.on("connect", () => {
      socket.write(`${JSON.stringify({ hello: "agent", from })}\n`);
      resolve({ send: (command) => socket.write(`${JSON.stringify(command)}\n`), closed, close: () => socket.destroy() });
    });
    socket.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        try {
          const event = JSON.parse(line) as Partial<ShimEvent>;
          if (typeof event.index === "number" && typeof event.type === "string") onEvent(event as ShimEvent);
        } catch {
          socket.destroy();
        }
      }
    });
  });
}
