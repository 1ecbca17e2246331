/** Remote unix sockets and ports through a ControlMaster: a local socket in its private directory is forwarded there. */

import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { Master } from "./openssh-master.ts";
import { openSession, throughMaster } from "./openssh-session.ts";
import type { SshSettings } from "./ssh-config.ts";
import { sshFail } from "./ssh-errors.ts";
import { isSocketAbsent } from "./ssh-socket-check.ts";
import type { Transport } from "./transport.ts";

export function makeSocketOpener(
  master: Master,
  settings: SshSettings,
  exec: Transport["exec"],
  goneError: () => Error | undefined,
): Pick<Transport, "openSocket" | "openPort"> {
  const forwards = new Map<string, Promise<string>>(); // remote path or port → local path

  const forward = async (path: string, local: string): Promise<string> => {
    const result = await execa("ssh", [...throughMaster(master), "-O", "forward", "-L", `${local}:${path}`, "--", "nexadist"], {
      env: master.env,
      extendEnv: false,
      stdin: "ignore",
      reject: false,
    });
    if (result.exitCode === 0) return local;
    throw goneError() ?? sshFail("STREAMLOCAL_REFUSED", settings, "ssh", { cause: sanitiseWord(result.stderr).trim() });
  };

  const open = async (there: string): Promise<Socket> => {
    const gone = goneError();
    if (gone !== undefined) throw gone;
    const made = forwards.get(there) ?? forward(there, join(master.dir, `s${forwards.size}`));
    forwards.set(there, made);
    const local = await made.catch((error: unknown) => {
      forwards.delete(there);
      throw error;
    });
    return connectLocal(local).catch((error: unknown) => {
      throw goneError() ?? error;
    });
  };

  const openSocket: Transport["openSocket"] = async (path) => {
    // `:` would end the path in -L, and ssh expands % and $ there.
    if (!/^\/[^:%$\\\s]*$/.test(path)) throw new Error(`not a socket path for ssh -L: ${path}`);
    const socket = await open(path);
    if (await staysOpen(socket, master)) return socket;
    const late = goneError();
    if (late !== undefined) throw late;
    if (await isSocketAbsent(exec, path)) throw sshFail("SOCKET_ABSENT", settings, "ssh", { path });
    throw sshFail("STREAMLOCAL_REFUSED", settings, "ssh", { cause: "the forwarded socket was closed at once" });
  };
  return { openSocket, openPort: (port) => open(`localhost:${port}`) };
}

const connectLocal = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });

/**
 * ssh accepts the local connection before it asks the host, and says nothing when the host agrees. The host answers in order:
 * so when it has answered a session opened afterwards (granted or refused), a refusal of ours would have closed the socket.
 */
async function staysOpen(socket: Socket, master: Master): Promise<boolean> {
  let isOver = false;
  const mark = (): void => {
    isOver = true;
  };
  // Readable, not data: what the far side said first stays in the stream.
  socket.on("error", mark).on("close", mark);
  const onReadable = (): void => {
    if (socket.readableLength === 0 && socket.read() === null && socket.readableEnded) isOver = true;
  };
  socket.once("end", mark).on("readable", onReadable);
  const barrier = await openSession(master, "true", undefined, () => {}).catch(() => undefined);
  barrier?.stdout.resume();
  barrier?.stderr.resume();
  barrier?.kill();
  await new Promise((resolve) => setImmediate(resolve));
  socket.off("readable", onReadable).off("error", mark).off("close", mark).off("end", mark);
  if (isOver) socket.destroy();
  return !isOver;
}
