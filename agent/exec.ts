/** Ad-hoc commands for one link: argv exactly as given, output in frames, gone when the link is. */

import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { fail } from "../cluster/errors.ts";
import { packFrame } from "../cluster/frame.ts";
import { FRAME_DATA } from "../cluster/protocol.ts";

const GRACE_MS = 3000;
const WORDS: Readonly<Record<string, string>> = { ENOENT: "no such command", EACCES: "permission denied" };

export type ExecSink = { readonly sendFrame: (frame: Uint8Array) => void; readonly hasRoom: () => boolean; readonly whenRoom: (then: () => void) => void };
export type ExecReply = { readonly code: number | null; readonly signal: string | null };
type ExecRequest = {
  readonly argv: readonly string[];
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly window?: number | undefined;
};
/** `ahead`: bytes that were sent and not taken yet; from `window` on the command is not read, and in the end waits in its write. */
type Live = { readonly child: ChildProcess; readonly window: number; ahead: number };

export type Execs = {
  readonly run: (id: number, request: ExecRequest) => Promise<ExecReply>;
  readonly kill: (target: number) => void;
  readonly taken: (target: number, bytes: number) => void;
  readonly killAll: () => void;
};

export function makeExecs(sink: ExecSink): Execs {
  const live = new Map<number, Live>();

  const run = (id: number, { argv, cwd, env, window }: ExecRequest): Promise<ExecReply> =>
    new Promise((resolve, reject) => {
      const [command, ...args] = argv;
      if (command === undefined) return reject(fail("EXEC_FAILED", { command: "nothing", why: "no argv" }));
      let child: ChildProcess;
      try {
        // A group of its own, so that a kill reaches what it started. Nothing to read: what asks for input ends instead of waiting for ever.
        child = spawn(command, args, {
          cwd: cwd ?? process.env.HOME ?? "/",
          env: { ...process.env, ...env },
          stdio: ["ignore", "pipe", "pipe"],
          detached: true,
        });
      } catch (error) {
        return reject(fail("EXEC_FAILED", { command, why: (error as Error).message }, error));
      }
      const one: Live = { child, window: window ?? Number.POSITIVE_INFINITY, ahead: 0 };
      live.set(id, one);
      child.on("error", (error: NodeJS.ErrnoException) => {
        live.delete(id);
        reject(fail("EXEC_FAILED", { command, why: WORDS[error.code ?? ""] ?? error.message }, error));
      });
      child.on("close", (code, signal) => {
        live.delete(id);
        resolve({ code, signal });
      });
      if (child.stdout) forward(id, 1, child.stdout, one);
      if (child.stderr) forward(id, 2, child.stderr, one);
    });

  const forward = (id: number, fd: 1 | 2, stream: Readable, one: Live): void => {
    stream.on("data", (data: Buffer) => {
      for (let at = 0; at < data.length; at += FRAME_DATA) sink.sendFrame(packFrame({ t: "exec", id, fd }, data.subarray(at, at + FRAME_DATA)));
      one.ahead += data.length;
      const hasRoom = sink.hasRoom();
      if (hasRoom && one.ahead < one.window) return;
      stream.pause();
      if (!hasRoom) sink.whenRoom(() => flow(one));
    });
  };

  /** Without room on the link it is paused again at the next bytes. */
  const flow = ({ child, ahead, window }: Live): void => {
    if (ahead >= window) return;
    child.stdout?.resume();
    child.stderr?.resume();
  };

  const taken = (target: number, bytes: number): void => {
    const one = live.get(target);
    if (one === undefined) return;
    one.ahead -= bytes;
    flow(one);
  };

  const kill = (target: number): void => {
    const one = live.get(target);
    if (one === undefined) return;
    signalGroup(one.child, "SIGTERM");
    setTimeout(() => live.get(target) === one && signalGroup(one.child, "SIGKILL"), GRACE_MS).unref();
  };

  return {
    run,
    kill,
    taken,
    killAll: () => {
      for (const [target, one] of live) {
        kill(target);
        one.ahead = Number.NEGATIVE_INFINITY; // nobody takes anything any more: read to the end, for "close" to come
        flow(one);
      }
    },
  };
}

/** The group exists as long as "close" has not come: its leader is not reaped, or a member still holds the pipes. */
function signalGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // Gone by itself.
  }
}
