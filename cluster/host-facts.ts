/** What a look at a host may say: a host is not trusted, so everything has a shape and a bound before it is kept or shown. */

import * as z from "zod";
import type { HostFacts } from "./spec.ts";

const word = z.string().max(1024);
const count = z.int().nonnegative();
const version = z.object({ path: word, version: word });

export const hostFactsSchema: z.ZodType<HostFacts> = z.object({
  os: word,
  arch: word,
  kernel: word,
  libc: z.object({ kind: z.enum(["glibc", "musl", "unknown"]), version: word }),
  hostname: word,
  user: word,
  uid: count,
  home: word,
  shell: word,
  bootId: word,
  stateDir: word,
  stateNote: word,
  helperPython: version,
  node: version.nullable(),
  python: version.extend({ torch: word.nullable(), accelerate: word.nullable() }).nullable(),
  pythonProblem: word,
  interfaces: z.array(z.object({ name: word, mtu: count, up: z.boolean(), addresses: z.array(word).max(64) })).max(512),
  gpus: z
    .array(z.object({ index: count, uuid: word, name: word, memoryMiB: z.number().nullable() }))
    .max(64)
    .nullable(),
  gpuProblem: word,
  cpus: count,
  memoryBytes: z.number().nonnegative(),
  ephemeralPorts: z.tuple([count, count]),
  linger: z.boolean().nullable(),
  killUserProcesses: z.boolean().nullable(),
  present: z.object({ bundle: z.array(word).max(4096), node: z.array(word).max(4096) }).optional(),
});
