/** Transport over the npm package ssh2: the default driver. */

import type { Duplex } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { answerWithin, noAnswer } from "./answer-within.ts";
import { isEarlyDrop, sshFail } from "./ssh-errors.ts";
import { makeSessionGate, SessionRefused } from "./ssh-sessions.ts";
import { isSocketAbsent } from "./ssh-socket-check.ts";
import { connectSsh2, type Ssh2Context } from "./ssh2-connect.ts";
import type { RemoteExit, RemoteProcess, Transport } from "./transport.ts";

/** Reasons of SSH_MSG_CHANNEL_OPEN_FAILURE, RFC 4254 5.1. */
const ADMINISTRATIVELY_PROHIBITED = 1;

export async function openSsh2(context: Ssh2Context, why: string): Promise<Transport> {
  const { settings } = context;
  const client = await connectSsh2(context);
  const gate = makeSessionGate();
  const link = watchConnection(client);
  const lost = (error?: Error) => sshFail("CONNECTION_LOST", settings, "ssh2", { cause: link.goneBecause() ?? error?.message ?? "closed" }, error);

  const exec: Transport["exec"] = (command, execOptions) =>
    gate
      .enter(async (leave) => {
        if (link.goneBecause() !== undefined) throw lost();
        const { pty } = execOptions ?? {};
        const channel = await new Promise<ClientChannel>((resolve, reject) => {
          const opened = (error: Error | undefined, stream: ClientChannel): void => {
            if (error === undefined) resolve(stream);
            else if (/Channel open failure/.test(error.message)) reject(new SessionRefused(error.message));
            else reject(isLoss(error) ? lost(error) : error);
          };
          client.exec(command, pty === undefined ? {} : { pty: { cols: pty.columns, rows: pty.rows, term: pty.term } }, opened);
        });
        return toProcess(channel, leave);
      })
      .catch((error: Error) => {
        if (link.goneBecause() !== undefined || isLoss(error)) throw lost(error);
        throw error instanceof SessionRefused || /Unable to exec|Unable to request/.test(error.message)
          ? sshFail("SSH_CHANNEL", settings, "ssh2", { cause: error.message }, error)
          : error;
      });

  const openSocket: Transport["openSocket"] = async (path) => {
    if (link.goneBecause() !== undefined) throw lost();
    try {
      return await new Promise<Duplex>((resolve, reject) => {
        client.openssh_forwardOutStreamLocal(path, (error, stream) => (error === undefined ? resolve(stream) : reject(error)));
      });
    } catch (thrown) {
      const error = thrown as Error & { reason?: number | string };
      if (link.goneBecause() !== undefined || !/Channel open failure/.test(error.message)) throw lost(error);
      const isProhibited = Number(error.reason) === ADMINISTRATIVELY_PROHIBITED;
      if (!isProhibited && (await isSocketAbsent(exec, path))) throw sshFail("SOCKET_ABSENT", settings, "ssh2", { path });
      throw sshFail("STREAMLOCAL_REFUSED", settings, "ssh2", { cause: error.message }, error);
    }
  };

  const openPort: Transport["openPort"] = (port) =>
    new Promise((resolve, reject) => {
      if (link.goneBecause() !== undefined) return reject(lost());
      client.forwardOut("127.0.0.1", 0, "localhost", port, (error, stream) => {
        if (error === undefined) return resolve(stream);
        if (link.goneBecause() !== undefined || !/Channel open failure/.test(error.message)) return reject(lost(error));
        reject(sshFail("FORWARD_REFUSED", settings, "ssh2", { there: port, cause: error.message.replace(/^.*Channel open failure: /, "") }, error));
      });
    });

  // Past the gate: where sshd has no session left it says so, which is an answer.
  const probe: Transport["probe"] = async (withinMs, doing) => {
    if (link.goneBecause() !== undefined) throw lost();
    const answered = new Promise<void>((resolve) => {
      client.exec("exit 0", (_, stream) => {
        stream?.resume().close();
        resolve();
      });
    });
    await answerWithin(answered, withinMs, () => sshFail("CONNECTION_LOST", settings, "ssh2", { cause: link.goneBecause() ?? noAnswer(doing) }));
    if (link.goneBecause() !== undefined) throw lost();
  };

  return {
    driver: "ssh2",
    address: context.settings.hostname,
    port: context.settings.port,
    why,
    exec,
    openSocket,
    openPort,
    probe,
    closed: link.closed,
    close: link.close,
  };
}

/** What ssh2 says when the connection went under a request; its `close` event may come later. */
const isLoss = (error: Error): boolean => /Not connected|No response from server/.test(error.message) || isEarlyDrop(error.message);

function watchConnection(client: Client): { closed: Promise<string>; goneBecause: () => string | undefined; close: () => void } {
  let reason: string | undefined;
  let error: string | undefined;
  let settle: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    settle = resolve;
  });
  const end = (words: string): void => {
    reason ??= words;
    settle(reason);
  };
  client.on("error", (thrown) => {
    error = thrown.message;
  });
  client.on("close", () => end(error ?? "the other side closed the connection"));
  const close = (): void => {
    end("closed by nexadist");
    client.end();
    // A peer that is gone never answers our goodbye.
    setTimeout(() => client.destroy(), 1_000).unref();
  };
  return { closed, goneBecause: () => reason, close };
}

function toProcess(channel: ClientChannel, leave: () => void): RemoteProcess {
  const exit = new Promise<RemoteExit>((resolve) => {
    channel.on("exit", (code: number | null, signal?: string) => resolve({ code, signal: signal ?? null }));
    channel.on("close", () => {
      leave();
      resolve({ code: null, signal: null });
    });
  });
  channel.on("error", () => {}); // writes after the far end went; `exit` tells
  channel.stderr.on("error", () => {});
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    exit,
    resize: (columns, rows) => channel.setWindow(rows, columns, 0, 0),
    // sshd delivers the signal only to users other than root; to all, the end of the channel ends input and output.
    kill: () => {
      channel.signal("TERM");
      channel.close();
      channel.resume(); // ssh2 tells the end only when all was read, and the session counts until then
      channel.stderr.resume();
    },
  };
}
