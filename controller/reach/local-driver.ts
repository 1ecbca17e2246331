/** Transport to this machine without SSH, for `transport: local`: same interface, real processes and sockets. */

import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { homedir } from "node:os";
import type { Duplex } from "node:stream";
import { fail } from "../../cluster/errors.ts";
import { keepUnread } from "./keep-unread.ts";
import type { ReachOptions, RemoteExit, RemoteProcess, Transport } from "./transport.ts";

/** `name` is the entry's name in the cluster file; it appears in errors. */
export function openLocal(name: string, options: Pick<ReachOptions, "env">): Transport {
  const processes = new Set<RemoteProcess>();
  let isClosed = false;
  let settle: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    settle = resolve;
  });
  const gone = () => fail("CONNECTION_LOST", { host: name, user: options.env.USER ?? "?", address: "this machine", port: 0, driver: "local", cause: "closed" });

  const exec: Transport["exec"] = async (command) => {
    if (isClosed) throw gone();
    const process = await startLocal(command, options.env);
    processes.add(process);
    void process.exit.then(() => processes.delete(process));
    return process;
  };

  const opened = (socket: Socket, refused: (error: Error) => Error): Promise<Duplex> =>
    new Promise<Duplex>((resolve, reject) => {
      socket.once("error", (error) => reject(refused(error)));
      socket.once("connect", () => {
        socket.removeAllListeners("error");
        resolve(socket);
      });
    });
  const openSocket: Transport["openSocket"] = (path) => opened(connect(path), (error) => fail("SOCKET_ABSENT", { host: name, path, driver: "local" }, error));
  const openPort: Transport["openPort"] = (port) =>
    opened(connect(port, "localhost"), (error) => fail("FORWARD_REFUSED", { host: name, there: port, cause: error.message }, error));

  const close = (): void => {
    isClosed = true;
    // As when an SSH connection goes: processes lose their pipes, not their lives.
    for (const { stdin, stdout, stderr } of processes) for (const stream of [stdin, stdout, stderr]) stream.destroy();
    settle("closed by nexadist");
  };

  return { driver: "local", address: null, port: null, why: "transport: local", exec, openSocket, openPort, probe: async () => {}, closed, close };
}

async function startLocal(command: string, env: ReachOptions["env"]): Promise<RemoteProcess> {
  // A group of its own, so that a Ctrl-C at the viewer's terminal does not reach it.
  const child = spawn("sh", ["-c", command], { env: { ...env }, cwd: env.HOME ?? homedir(), detached: true, stdio: ["pipe", "pipe", "pipe"] });
  const exit = new Promise<RemoteExit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  const [stdout, stderr] = [keepUnread(child.stdout), keepUnread(child.stderr)];
  child.stdin.on("error", () => {}); // EPIPE of a process that ended; `exit` tells
  await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
  const kill = (): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, "SIGTERM");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  return { stdin: child.stdin, stdout, stderr, exit, resize: () => {}, kill };
}
