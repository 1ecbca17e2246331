/** While the screen is up the terminal is its own: what others write waits, and it is put right on every way out. */

import type { WriteStream } from "node:tty";

/** Colours off, synchronised output ended, cursor shown, bracketed paste off, alternate screen left. */
export const RESET = "\u001b[0m\u001b[?2026l\u001b[?25h\u001b[?2004l\u001b[?1049l";
/** What others wrote is kept up to this, in characters. */
const KEPT = 64 * 1024;

export type Held = {
  /** For Ink alone. */
  readonly stdout: WriteStream;
  /** Gives the streams back; returns what others wrote meanwhile. */
  readonly release: () => string;
};

type Write = typeof process.stdout.write;

export function holdStreams(): Held {
  let others = "";
  const [out, err] = [process.stdout.write, process.stderr.write];
  const keep = ((chunk: string | Uint8Array, second?: unknown, third?: unknown): boolean => {
    others = (others + (typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8"))).slice(-KEPT);
    const done = typeof second === "function" ? second : third;
    if (typeof done === "function") queueMicrotask(() => void done());
    return true;
  }) as Write;
  const own = out.bind(process.stdout) as Write;
  const stdout = new Proxy(process.stdout, {
    get: (target, key) => {
      if (key === "write") return own;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  process.stdout.write = keep;
  process.stderr.write = keep;
  return {
    stdout,
    release: () => {
      process.stdout.write = out;
      process.stderr.write = err;
      return others;
    },
  };
}
