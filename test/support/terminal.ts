/** Runs a command on a real pseudo-terminal (Python's pty carries it), types keys, reads what the screen is sent. */

import { type ChildProcess, spawn } from "node:child_process";
import type { TestContext } from "node:test";

const CARRIER = `
import fcntl, os, pty, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(os.environ.get("COLUMNS_WANTED", "100")), 0, 0))
watched = [0, fd]
while True:
    ready, _, _ = select.select(watched, [], [])
    if fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        keys = os.read(0, 65536)
        if keys:
            os.write(fd, keys)
        else:
            watched.remove(0)
mode = "raw" if not termios.tcgetattr(fd)[3] & termios.ICANON else "cooked"
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os.write(2, f"{status} {mode}".encode())
`;

export type Terminal = {
  readonly child: ChildProcess;
  readonly type: (keys: string) => void;
  /** Resolves once what the screen was sent since the last call holds the pattern. */
  readonly shows: (pattern: RegExp) => Promise<void>;
  readonly done: Promise<{ code: number; mode: string; screen: string }>;
};

const DEADLINE_MS = 60_000;

export function onTerminal(t: TestContext, argv: readonly string[], options: { cwd: string; env: Record<string, string> }): Terminal {
  const child = spawn("python3", ["-c", CARRIER, ...argv], { ...options, stdio: ["pipe", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let screen = "";
  let from = 0;
  let end = "";
  let look = (): void => undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    end += text;
  });
  const done = new Promise<{ code: number; mode: string; screen: string }>((resolve) => {
    child.once("close", () => {
      const [code, mode = ""] = end.split(" ");
      resolve({ code: Number(code), mode, screen });
    });
  });
  return {
    child,
    done,
    type: (keys) => void child.stdin.write(keys),
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`never showed ${pattern}: ${JSON.stringify(screen.slice(from))}`)), DEADLINE_MS);
        look = () => {
          const found = pattern.exec(screen.slice(from));
          if (found === null) return;
          from += found.index + found[0].length;
          clearTimeout(timer);
          look = () => undefined;
          resolve();
        };
        look();
        void done.then(() => {
          clearTimeout(timer);
          reject(new Error(`ended without showing ${pattern}: ${JSON.stringify(screen.slice(from))}${end}`));
        });
      }),
  };
}
