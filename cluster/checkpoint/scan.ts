/** What a host tells of the checkpoints on its disk. Its names become paths on other hosts, so they are checked here, whoever sent them. */

import * as z from "zod";

/** Beneath the directory of checkpoints, and nowhere else. */
export const isInside = (path: string): boolean =>
  path.length <= 4096 && !/\p{Cc}/u.test(path) && path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && part.length <= 255);

const inside = z.string().refine(isInside, "leads out of the directory of checkpoints");
/** "" for a checkpoint that is one file. */
const part = z.union([z.literal(""), inside]);

const fileFact = z.object({
  path: part,
  size: z.int().nonnegative(),
  mtimeMs: z.number(),
  /** The same text on two hosts: the same file on a file system that they share. */
  id: z.string().max(128),
  /** As far as its format tells; for a format without an end, true. */
  isWhole: z.boolean(),
  /** The attempt of the run that wrote it; 0: it was there before. */
  attempt: z.int().nonnegative(),
});
export type FileFact = z.infer<typeof fileFact>;

const candidate = z.object({
  /** From the directory of checkpoints. */
  name: inside,
  step: z.int().nonnegative(),
  /** hf: a directory of the Hugging Face Trainer. dcp: of torch.distributed.checkpoint. file: one file. */
  kind: z.enum(["hf", "dcp", "file"]),
  files: z.array(fileFact).max(10_000),
  /** Index file → the files that it names. */
  promised: z.record(z.string(), z.array(z.string())),
});
export type Candidate = z.infer<typeof candidate>;

export const scanReply = z.object({ candidates: z.array(candidate).max(64), problem: z.string().max(4096) });

export type HostScan = { readonly host: string; readonly candidates: readonly Candidate[] };

/** Of the files of one host by that host's own clock: the last attempt that had begun there when the file was written. */
export function attemptAt(mtimeMs: number, beganAt: ReadonlyMap<number, number>): number {
  let last = 0;
  for (const [attempt, at] of beganAt) if (at <= mtimeMs && attempt > last) last = attempt;
  return last;
}
