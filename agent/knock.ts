/** Knocks at another host's SSH port: is anybody there, does it speak? Nothing is sent. */

import { connect } from "node:net";

export type Saw = "alive" | "mute" | "dead";

export function knock(host: string, port: number, limitMs: number): Promise<{ saw: Saw }> {
  return new Promise((resolve) => {
    let saw: Saw = "dead";
    const socket = connect({ host, port });
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ saw });
    };
    const timer = setTimeout(end, limitMs);
    socket.once("connect", () => {
      saw = "mute";
    });
    socket.once("data", () => {
      saw = "alive";
      end();
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") saw = "alive"; // its kernel answers: sshd is down, the host is not
      end();
    });
    socket.once("close", end);
  });
}
