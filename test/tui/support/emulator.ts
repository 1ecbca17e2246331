/** The real program in a pseudo-terminal, its bytes drawn by a real emulator: type, resize, read the screen as text. */

import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { TestContext } from "node:test";
import xterm from "@xterm/headless";

/** Python's pty carries it; "C R" on fd 3 resizes, fd 4 tells the program's process and at last how it ended and whether the terminal is cooked. */
const CARRIER = `
import fcntl, os, pty, select, signal, struct, sys, termios
columns, rows = int(sys.argv[1]), int(sys.argv[2])
gate = os.pipe()
pid, fd = pty.fork()
if pid == 0:
    os.read(gate[0], 1)
    os.execvp(sys.argv[3], sys.argv[3:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
os.write(gate[1], b"x")
os.write(4, f"pid {pid}\\n".encode())
watched = [0, 3, fd]
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
        os.write(fd, keys) if keys else watched.remove(0)
    if 3 in ready:
        wish = os.read(3, 64)
        if wish:
            columns, rows = map(int, wish.split()[-2:])
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        else:
            watched.remove(3)
mode = "cooked" if termios.tcgetattr(fd)[3] & termios.ICANON else "raw"
status = os.waitpid(pid, 0)[1]
os.write(4, f"end {os.waitstatus_to_exitcode(status)} {mode}\\n".encode())
`;

export type Emulator = {
  readonly type: (keys: string) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** What stands on the screen, without blanks at the ends of rows. */
  readonly screen: () => string;
  /** Resolves once the screen holds the pattern. */
  readonly shows: (pattern: RegExp) => Promise<void>;
  readonly isAlternate: () => boolean;
  /** Every byte that the terminal was sent. */
  readonly sent: () => string;
  readonly signal: (name: NodeJS.Signals) => Promise<void>;
  readonly done: Promise<{ readonly code: number; readonly mode: string }>;
};

const running = new Set<() => void>();

/** Before what they talk to goes away: a viewer would start a controller of its own then. */
export function endPrograms(): void {
  for (const end of running) end();
  running.clear();
}

function killed(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

const DEADLINE_MS = 60_000;

export function emulate(t: TestContext, argv: readonly string[], at: { cwd: string; env: Record<string, string>; columns?: number; rows?: number }): Emulator {
  const { cwd, env, columns = 80, rows = 24 } = at;
  const child: ChildProcess = spawn("python3", ["-c", CARRIER, String(columns), String(rows), ...argv], {
    cwd,
    env: { ...env, PYTHONCOERCECLOCALE: "0" },
    stdio: ["pipe", "pipe", "inherit", "pipe", "pipe"],
  });
  const end = (): void => {
    const pid = /pid (\d+)/.exec(told)?.[1];
    if (child.exitCode === null && child.signalCode === null && pid !== undefined) killed(Number(pid));
    child.kill("SIGKILL");
  };
  running.add(end);
  t.after(end);
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 1000 });
  let sent = "";
  let told = "";
  const looks = new Set<() => void>();
  const look = (): void => {
    for (const one of [...looks]) one();
  };
  child.stdout?.on("data", (data: Buffer) => {
    sent += data.toString("latin1");
    terminal.write(data, look);
  });
  child.stdio[4]?.on("data", (data: Buffer) => {
    told += data.toString();
    look();
  });
  const screen = (): string => {
    const { active } = terminal.buffer;
    return Array.from({ length: terminal.rows }, (_, k) => active.getLine(active.viewportY + k)?.translateToString(true) ?? "").join("\n");
  };
  const ended = new Promise<void>((resolve) => child.once("close", () => terminal.write("", resolve)));
  const until = (isSo: () => boolean, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new Error(`${what} never came:\n${screen()}\n${told}`))), DEADLINE_MS);
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        looks.delete(one);
        end();
      };
      const one = (): void => {
        if (isSo()) settle(resolve);
      };
      looks.add(one);
      one();
      void ended.then(() => looks.has(one) && settle(() => reject(new Error(`it ended before ${what}:\n${screen()}\n${told}`))));
    });
  const done = ended.then(() => {
    const [, code = "-1", mode = ""] = /end (-?\d+) (\w+)/.exec(told) ?? [];
    return { code: Number(code), mode };
  });
  return {
    type: (keys) => void child.stdin?.write(keys),
    resize: (c, r) => {
      terminal.resize(c, r);
      (child.stdio[3] as Writable).write(`${c} ${r}\n`);
    },
    screen,
    shows: (pattern) => until(() => pattern.test(screen()), String(pattern)),
    isAlternate: () => terminal.buffer.active.type === "alternate",
    sent: () => sent,
    signal: async (name) => {
      await until(() => /pid \d+/.test(told), "the program's process");
      process.kill(Number(/pid (\d+)/.exec(told)?.[1]), name);
    },
    done,
  };
}
