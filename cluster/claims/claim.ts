/** GPUs that a run wants of a host, and what its agent answers: all of them, or by whom they are kept. */

import * as z from "zod";
import type { GpuRequest, HostFacts } from "../spec.ts";

export type Want = { readonly kind: "auto" } | { readonly kind: "count"; readonly count: number } | { readonly kind: "list"; readonly ids: readonly string[] };

export const wantSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("auto") }),
  z.object({ kind: z.literal("count"), count: z.int().min(1).max(1024) }),
  z.object({ kind: z.literal("list"), ids: z.array(z.string().max(256)).min(1).max(1024) }),
]);

const word = z.string().max(256);
const user = word.nullish();
const gpu = z.int().nonnegative().nullish();

/** Who keeps a GPU. process, without a PID: its memory is in use, and by whom is not shown there. queue: it is not held, but an earlier run waits for GPUs of this host. lock: somebody holds the lock and says not who. */
const keeper = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("run"), gpu, run: word, name: word, user, by: word.optional() }),
  z.object({ kind: z.literal("queue"), run: word, name: word, user, by: word.optional() }),
  z.object({ kind: z.literal("process"), gpu, pid: z.int().nonnegative().nullable(), process: word, user, memoryMiB: z.number().nullish() }),
  z.object({ kind: z.literal("lock"), gpu, pid: z.int().nonnegative().optional(), user }),
]);
export type Keeper = z.infer<typeof keeper>;

export const claimReply = z.union([
  z.object({ ok: z.literal(true), gpus: z.array(word).max(1024), notes: z.array(z.string().max(1024)).max(64) }),
  z.object({ ok: z.literal(false), busy: z.array(keeper).min(1).max(1024) }),
  z.object({ ok: z.literal(false), unusable: z.string().max(1024) }),
]);
export type ClaimReply = z.infer<typeof claimReply>;

/** UUIDs in place of indices; null: CPU ranks claim nothing. What the host lacks is refused elsewhere. */
export function wantOf(request: GpuRequest, facts: HostFacts): Want | null {
  if (request.kind === "none" || (request.kind === "count" && request.count === 0)) return null;
  if (request.kind !== "list") return request;
  const uuidOf = (id: string): string => facts.gpus?.find((one) => String(one.index) === id)?.uuid ?? id;
  return { kind: "list", ids: request.ids.map(uuidOf) };
}
