/** What commands print with --json, as schemas: docs/json.md is made from them, and a test holds what is printed against them. Fields may be added; `schema` grows when one changes its meaning. */

import * as z from "zod";

const schema = z.literal(1).describe("version of all these documents");
const time = z.number().describe("ms since 1970");
const maybeTime = time.nullable();
const problem = z.looseObject({ code: z.string().describe("see errors.md"), message: z.string(), hint: z.string(), exit: z.int() });
const cause = z.string().nullable().describe("what is the matter; null: nothing");

const run = z.looseObject({
  run: z.string().describe("id"),
  name: z.string(),
  phase: z.string().describe("connecting, preparing, arming, launching, running, stopping, recovering, draining, succeeded, failed or stopped"),
  hosts: z.int().describe("that take part"),
  ranks: z.int(),
  attempt: z.int(),
  requestedAt: time,
  endedAt: maybeTime.describe("null: it goes on"),
  file: z.string().nullable().describe("its cluster file"),
  by: z.string().describe("who asked for it"),
  failure: z.string().nullable(),
});

const state = z.looseObject({
  phase: z.string(),
  attempt: z.int(),
  world: z.int().describe("ranks of the attempt"),
  requestedAt: time,
  endedAt: maybeTime,
  members: z.array(z.string()).describe("hosts in the order of their ranks"),
  hosts: z.record(z.string(), z.looseObject({ stage: z.string(), seen: z.boolean(), lost: z.string().nullable(), receipt: z.unknown() })),
  ranks: z.record(z.string(), z.looseObject({ rank: z.int(), host: z.string(), pid: z.int(), exit: z.unknown().describe("null: it is alive") })),
  failure: z.looseObject({ text: z.string(), host: z.string().nullable(), rank: z.int().nullable(), exit: z.int() }).nullable(),
  past: z.array(z.unknown()).describe("attempts that failed, each with its cause"),
});

const line = z.strictObject({
  host: z.string(),
  rank: z.int().nullable().describe("null: the launcher"),
  stream: z.enum(["out", "err", "nccl", "launcher"]),
  attempt: z.int(),
  at: time.describe("when it reached the controller"),
  text: z.string().describe("as it was written, control bytes included"),
  gap: z.looseObject({ from: z.number(), to: z.number(), why: z.string() }).optional().describe("in place of text: these bytes are not there"),
});

const totals = z.looseObject({ gpuHours: z.number(), energyKwh: z.number().nullable(), measuredShare: z.number().nullable() }).nullable();
const reading = z.looseObject({
  host: z.string(),
  ageMs: z.number().nullable().describe("how old the sample is; null: of the run's end"),
  problem: cause,
  sample: z.looseObject({}).nullable().describe("fields of telemetry.md; what is not known is absent"),
});

const result = z.looseObject({
  id: z.string().describe("of the check, see checks.md"),
  status: z.string().describe("ok, warn, fail, unknown or skip"),
});

/** By the command that prints it. */
export const JSON_DOCUMENTS = {
  ps: { about: "One document; `runs` has the same shape.", shape: z.strictObject({ schema, runs: z.array(run) }) },
  status: {
    about: "One document; with --watch one a second.",
    shape: z.strictObject({
      schema,
      run: z.string(),
      dir: z.string().describe("journal, manifest and logs on the controller's machine"),
      state,
      wroteAt: maybeTime.optional().describe("when a rank was last heard to write"),
      pace: z.looseObject({}).nullable().optional().describe("step, total, loss, stepMs, rate, leftMs; null: not known"),
      notes: z.array(z.string()).optional(),
    }),
  },
  logs: { about: "A document a line.", shape: z.strictObject({ schema, kind: z.literal("line"), line }) },
  gpus: {
    about: "One document; with --watch one a second.",
    shape: z.strictObject({
      schema,
      run: z.string().nullable(),
      phase: z.string().nullable(),
      totals,
      hosts: z.array(reading.extend({ ranks: z.record(z.string(), z.int()).describe("rank → PID") })),
    }),
  },
  top: {
    about: "One document; with --watch one a second.",
    shape: z.strictObject({
      schema,
      run: z.string(),
      phase: z.string(),
      totals,
      hosts: z.array(
        reading.extend({
          rates: z
            .record(z.string(), z.looseObject({ rx: z.number(), tx: z.number() }))
            .optional()
            .describe("bytes a second by interface"),
        }),
      ),
    }),
  },
  diag: {
    about: "One document. With --jsonl each result comes as soon as it is known.",
    shape: z.looseObject({
      schema,
      isReady: z.boolean().describe("nothing keeps a launch back"),
      tier: z.string().describe("quick, full or deep"),
      at: z.string().describe("ISO 8601"),
      tookMs: z.int(),
      counts: z.record(z.string(), z.int()).describe("results by status"),
      blockers: z.array(result),
      unknown: z.array(z.looseObject({ id: z.string() })).describe("what could not be looked at"),
      results: z.array(result),
      matrix: z.array(z.unknown()).describe("each pair of hosts"),
      estimate: z.unknown(),
    }),
  },
  error: {
    about: "Any command that fails, in place of its document or after the last one.",
    shape: z.looseObject({ schema, error: problem }),
  },
} as const satisfies Readonly<Record<string, { readonly about: string; readonly shape: z.ZodType }>>;
