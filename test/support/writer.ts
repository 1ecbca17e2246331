/** A trainer whose every byte can be checked: numbered lines of 64 bytes until its host has a file /tmp/finish; its digest goes to /tmp/sumRANK. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Seat } from "./controller.ts";

/** argv: lines a turn, seconds between turns. A write that fails ends it with status 9. */
export const WRITER = `import hashlib, os, sys, time
rank, many, pause = os.environ["RANK"], int(sys.argv[1]), float(sys.argv[2])
digest, n, size = hashlib.sha256(), 0, 0
try:
    while True:
        is_last = os.path.exists("/tmp/finish")
        data = b"".join(b"%012d %s\\n" % (n + k, b"z" * 50) for k in range(many))
        n += many
        digest.update(data)
        size += len(data)
        while data: data = data[os.write(1, data):]
        if is_last: break
        time.sleep(pause)
except OSError as error:
    with open("/tmp/wrong" + rank, "w") as f: f.write(str(error))
    sys.exit(9)
with open("/tmp/sum" + rank, "w") as f: f.write(f"{digest.hexdigest()} {size} {os.getpid()}")
`;

const lineOf = (n: number): string => `${String(n).padStart(12, "0")} ${"z".repeat(50)}\n`;

/** What WRITER writes from byte `from` to byte `to`. */
function expected(from: number, to: number): Buffer {
  const first = Math.floor(from / 64);
  const lines = Array.from({ length: Math.ceil(to / 64) - first }, (_, k) => lineOf(first + k));
  return Buffer.from(lines.join("")).subarray(from - first * 64, to - first * 64);
}

export type Gap = { readonly stream: string; readonly from: number; readonly to: number; readonly why: string };

const dirOf = (seat: Seat, run: string, host: string): string => join(seat.stateDir, "runs", run, "logs", "a1", encodeURIComponent(host));

/** The gaps on record of one stream, such as "a1/rank0.out". */
export function gapsOf(seat: Seat, run: string, host: string, stream: string): readonly Gap[] {
  const path = join(dirOf(seat, run, host), "gaps.jsonl");
  const all = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  return all.map((line) => JSON.parse(line) as Gap).filter((gap) => gap.stream === stream);
}

/** Every byte that is no gap on record is what the trainer wrote there, and the last one is there; gives the gaps. `bytes` stands in for WRITER's own. */
export function assertWhole(seat: Seat, run: string, host: string, rank: number, size: number, bytes = expected): readonly Gap[] {
  const file = openSync(join(dirOf(seat, run, host), `rank${rank}.out`), "r");
  assert.equal(fstatSync(file).size, size, "bytes kept");
  const gaps = gapsOf(seat, run, host, `a1/rank${rank}.out`);
  let at = 0;
  for (const { from, to } of [...gaps, { from: size, to: size }]) {
    assert.ok(from >= at, "gaps in order");
    const sum = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
    for (; at < from; at = Math.min(from, at + (1 << 20))) {
      const end = Math.min(from, at + (1 << 20));
      const kept = Buffer.alloc(end - at);
      readSync(file, kept, 0, kept.length, at);
      assert.equal(sum(kept), sum(bytes(at, end)), `bytes ${at} to ${end}`);
    }
    at = to;
  }
  closeSync(file);
  return gaps;
}
