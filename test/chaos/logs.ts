/** The logs that the controller keeps of an attempt, against what its ranks wrote: by hash, no byte lost, doubled or out of order. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RankState } from "../../cluster/run/state.ts";
import { until } from "../support/controller.ts";
import { expected } from "./trainer.ts";
import type { World } from "./world.ts";

const ARRIVE_MS = 45_000;

type Gap = { readonly stream: string; readonly from: number; readonly to: number };
type Which = { readonly run: string; readonly attempt: number; readonly rank: Pick<RankState, "rank" | "host"> };

/** `least`: bytes that the rank had written. `mayLackEnd`: its host went with what it had not told. Answers with what is wrong. */
export async function checkLog(
  world: World,
  { run, attempt, rank }: Which,
  least: number,
  may: { readonly lackEnd: boolean; readonly gap: boolean },
): Promise<string[]> {
  const dir = join(world.seat.stateDir, "runs", run, "logs", `a${attempt}`, encodeURIComponent(rank.host));
  const path = join(dir, `rank${rank.rank}.out`);
  const about = `log of rank ${rank.rank} of attempt ${attempt} on ${rank.host}`;
  const kept = (): Buffer => (existsSync(path) ? readFileSync(path) : Buffer.alloc(0));
  const isThere = await until("its bytes", () => may.lackEnd || kept().length >= least, ARRIVE_MS).catch(() => false);
  const bytes = kept();
  const wrong: string[] = [];
  if (!isThere) wrong.push(`${about} has ${bytes.length} of ${least} bytes`);
  const gaps = gapsOf(dir, `a${attempt}/rank${rank.rank}.out`);
  if (gaps.length > 0 && !may.gap) wrong.push(`${about} has gaps: ${JSON.stringify(gaps)}`);
  let at = 0;
  for (const { from, to } of [...gaps, { from: bytes.length, to: bytes.length }]) {
    const digest = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
    if (digest(bytes.subarray(at, from)) !== digest(expected(at, from))) wrong.push(`${about} is not what it wrote, between ${at} and ${from}`);
    at = to;
  }
  return wrong;
}

function gapsOf(dir: string, stream: string): readonly Gap[] {
  const path = join(dir, "gaps.jsonl");
  if (!existsSync(path)) return [];
  const all = readFileSync(path, "utf8").split("\n").filter(Boolean);
  return all.map((line) => JSON.parse(line) as Gap).filter((gap) => gap.stream === stream);
}
