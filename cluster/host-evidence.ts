/** What a host tells of an attempt that ended: the reply to {do: "evidence"}. It comes from a host that is not trusted: each part has a bound. */

import * as z from "zod";

/** In characters; python/evidence.py cuts at the same. */
const MESSAGE_MAX = 4096;
const CALLSTACK_MAX = 16_384;
const LINE_MAX = 512;
const LINES_MAX = 200;
const RANKS_MAX = 64;
const DISKS_MAX = 8;

export const hostEvidence = z.object({
  /** The host's clock, ms. */
  now: z.number(),
  /** Files that torch.distributed.elastic's `record` left, the earliest first. `at`: ms, 0: not told. */
  errors: z
    .array(z.object({ rank: z.int().min(0).max(65_535), message: z.string().max(MESSAGE_MAX), callstack: z.string().max(CALLSTACK_MAX), at: z.number() }))
    .max(RANKS_MAX),
  /** Lines of the kernel's log since the attempt began that may matter. */
  kernel: z.array(z.object({ at: z.number().nullable(), text: z.string().max(LINE_MAX) })).max(LINES_MAX),
  /** Why there are none, where the log could not be read. */
  kernelWhy: z.string().max(LINE_MAX).nullable(),
  /** Directories that a run writes to whose disk has no room, at the time of the look. An older agent does not tell. */
  fullDisks: z.array(z.string().max(LINE_MAX)).max(DISKS_MAX).default([]),
  /** Processes that the kernel killed for want of memory where the attempt ran, since it began; null: not known. */
  oomKills: z.int().nonnegative().nullable(),
  /** Stream → bytes of the attempt's logs on the host: until the controller has those, the reason may still be on its way. */
  sizes: z.record(z.string().max(64), z.int().nonnegative()),
});
export type HostEvidence = z.infer<typeof hostEvidence>;
