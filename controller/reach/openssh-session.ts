/** One command through a ControlMaster. */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { keepUnread } from "./keep-unread.ts";
import { type Master, whenFile } from "./openssh-master.ts";
import { SessionRefused } from "./ssh-sessions.ts";
import type { RemoteExit, RemoteProcess } from "./transport.ts";

type Pty = { readonly columns: number; readonly rows: number; readonly term: string };

/** No ssh_config, and no connection of its own when the master refuses: the host's name is then never dialled. */
export const throughMaster = (master: Master): string[] => [
  "-F",
  "none",
  "-S",
  master.controlPath,
  "-o",
  "BatchMode=yes",
  "-o",
  "ProxyCommand=false",
  "-a",
  "-x",
];

let serial = 0;

/** Resolves when sshd opened the session; throws SessionRefused when it did not. `leave` is called when the session ended. */
export async function openSession(master: Master, command: string, pty: Pty | undefined, leave: () => void): Promise<RemoteProcess> {
  // ssh's own words go to a file, since its stderr is the remote command's.
  const log = `x${++serial}`;
  const tty = pty === undefined ? ["-T"] : ["-tt"];
  const line = pty === undefined ? command : `stty rows ${Math.trunc(pty.rows)} cols ${Math.trunc(pty.columns)}; ${command}`;
  // Not execa: it drains an output that nobody reads yet, and our caller comes after the session is open.
  const child = spawn("ssh", [...throughMaster(master), "-v", "-E", join(master.dir, log), ...tty, "--", "nexadist", line], {
    env: pty === undefined ? master.env : { ...master.env, TERM: pty.term },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const [stdout, stderr] = [keepUnread(child.stdout), keepUnread(child.stderr)];
  child.stdin.on("error", () => {}); // EPIPE of a command that ended; `exit` tells
  const words = (): string => {
    try {
      return readFileSync(join(master.dir, log), "utf8");
    } catch {
      return "";
    }
  };
  const isOpen = (): boolean => words().includes("master session id");
  const exited = new Promise<RemoteExit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", () => resolve({ code: 255, signal: null }));
  });
  const watching = new AbortController();
  await Promise.race([whenFile(master.dir, log, isOpen, watching.signal), exited]);
  watching.abort();
  const said = words();
  await unlink(join(master.dir, log)).catch(() => {});
  if (!said.includes("master session id")) {
    const refusal = said.split("\n").find((text) => /refused|failed/i.test(text) && !text.startsWith("debug"));
    throw new SessionRefused(refusal ?? "no session was opened");
  }
  const exit = exited.then(async (result) => {
    leave();
    // 255 is ssh's own word for a lost connection, for a remote command killed by a signal, and a command's own status.
    return result.code === 255 && !(await isAlive(master)) ? { code: null, signal: null } : { code: result.code, signal: null };
  });
  return { stdin: child.stdin, stdout, stderr, exit, resize: () => {}, kill: () => child.kill("SIGTERM") };
}

const isAlive = (master: Master): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(master.controlPath);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
