/** What one look at a host finds its ranks doing: the reply to the command `stacks`, made by python/stacks.py. Nothing in it is trusted: a rank may have written it. */

import * as z from "zod";
import type { Way } from "../diag/pairs/attribute.ts";

const word = z.string().max(512);
/** File, line and function, innermost first. */
const frame = z.object({ file: word, line: z.int().nonnegative(), fn: word });
export type Frame = z.infer<typeof frame>;

const thread = z.object({ isMain: z.boolean(), name: word, frames: z.array(frame).max(100) });
export type Thread = z.infer<typeof thread>;

/** A process of a rank: the rank's own, or a descendant (a worker of a data loader, the program under a shell script). */
const processLook = z.object({
  pid: z.int(),
  command: word,
  /** As in /proc/PID/stat: R runs, S sleeps, D waits for a device and cannot be woken, T is stopped, t is held by a debugger, Z has ended. */
  state: z.string().max(4),
  /** Where in the kernel its main thread sleeps; "": unknown or nowhere. */
  wchan: word,
  /** CPUs that all its threads together use, 1 being one of them busy. */
  cpus: z.number().nonnegative(),
  /** How often its main thread has gone to sleep by itself so far: a thread that is stuck does not wake up to do so. */
  switches: z.number().nonnegative(),
  threads: z.array(thread).max(64),
  /** Who read the stacks; null: nobody could, see `why`. */
  source: z.enum(["faulthandler", "py-spy"]).nullable(),
  why: word,
});
export type ProcessLook = z.infer<typeof processLook>;

/** The last collective of a process group that torch's flight recorder has of a rank. */
const collective = z.object({ group: word, op: word, sequence: z.int(), state: word });
export type Collective = z.infer<typeof collective>;

const rankLook = z.object({
  rank: z.int().nonnegative(),
  /** null: it is not there any more. */
  main: processLook.nullable(),
  others: z.array(processLook).max(64),
  /** Since it last wrote a line; null: it wrote none. */
  quietMs: z.number().nullable(),
  collectives: z.array(collective).max(32),
});
export type RankLook = z.infer<typeof rankLook>;

export const hostLook = z.object({
  ranks: z.array(rankLook).max(1024),
  /** What NCCL's own monitor (RAS) says of the job, as it says it; empty: it was not there to ask. */
  ras: z.array(word).max(200),
  /** Why nothing could be looked at; null: it could. */
  problem: word.nullable(),
});
export type HostLook = z.infer<typeof hostLook>;

/** A look at all hosts of an attempt. */
export type Look = {
  /** When it was begun, and when the last host had answered. */
  readonly at: number;
  readonly until: number;
  readonly ranks: readonly (RankLook & { readonly host: string })[];
  readonly ras: readonly { readonly host: string; readonly lines: readonly string[] }[];
  /** Hosts that said nothing, and why. */
  /** Who reaches whom. */
  readonly ways: readonly Way[];
  readonly silent: readonly { readonly host: string; readonly why: string }[];
};
