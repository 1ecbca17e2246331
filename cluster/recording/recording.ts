/** A run in one file, to be looked at elsewhere: what happened, what was written, what its hosts told. JSON lines: a head, one line each, an end that counts them. */

import * as z from "zod";
import type { RunEvent } from "../run/events.ts";
import type { Point } from "../telemetry/sample.ts";
import type { LogLine } from "../viewer.ts";

export const FORMAT = 1;

/** When it came by the controller's clock, as far as that is known. */
export type TimedPoint = { readonly host: string; readonly heardAt: number; readonly point: Point };

export type Head = {
  readonly recording: "nexadist";
  readonly format: number;
  /** Of the program that made it. */
  readonly version: string;
  readonly run: string;
  readonly madeAt: number;
  /** What was left out, a sentence each. */
  readonly cut: readonly string[];
};

/** Each list in the order of time. */
export type Recording = {
  readonly head: Head;
  readonly events: readonly RunEvent[];
  readonly lines: readonly LogLine[];
  readonly points: readonly TimedPoint[];
};

export const headSchema = z.object({
  recording: z.literal("nexadist"),
  format: z.int().min(1),
  version: z.string().max(100),
  run: z.string().min(1).max(200),
  madeAt: z.number(),
  cut: z.array(z.string()).max(1000),
});

const at = z.number().min(0).max(8.64e15);

/** A line of the file below the head: an event, a line of a log, a point of a host (whole or as what changed), or the end. */
export const rowSchema = z.union([
  z.object({ e: z.looseObject({ at, type: z.string() }) }),
  z.object({
    l: z.object({
      host: z.string(),
      rank: z.int().nullable(),
      stream: z.enum(["out", "err", "nccl", "launcher"]),
      attempt: z.int(),
      at,
      text: z.string(),
      gap: z.object({ from: z.number(), to: z.number(), why: z.string() }).optional(),
    }),
  }),
  z.object({
    p: z.object({
      host: z.string(),
      at,
      heardAt: at,
      spanMs: z.number(),
      full: z.record(z.string(), z.unknown()).optional(),
      patch: z.record(z.string(), z.unknown()).optional(),
    }),
  }),
  z.object({ end: z.object({ events: z.int(), lines: z.int(), points: z.int() }) }),
]);
