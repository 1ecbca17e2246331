/** What travels of a runtime: a trimmed Node still runs, what is no ELF stays as it is, blocks hold every byte in order. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { packagedNode } from "../../../controller/assets.ts";
import { BLOCK, packBlocks, trimElf } from "../../../controller/reach/pack.ts";

const native = packagedNode(process.arch === "arm64" ? "arm64" : "x64");

test("a trimmed Node is smaller, runs, speaks foreign languages and makes WebAssembly; twice changes nothing", { skip: native === null }, (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nxd-trim-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const whole = readFileSync(native ?? "");
  const trimmed = trimElf(whole);
  assert.ok(trimmed.length < whole.length);
  assert.ok(trimElf(trimmed).equals(trimmed));
  const path = join(dir, "node");
  writeFileSync(path, trimmed, { mode: 0o755 });
  const said =
    'new Intl.NumberFormat("de").format(1234.5) + typeof new WebAssembly.Memory({ initial: 1 }) + require("node:crypto").createHash("md5").digest("hex")';
  assert.equal(execFileSync(path, ["-p", said], { encoding: "utf8" }), execFileSync(native ?? "", ["-p", said], { encoding: "utf8" }));
});

test("what is no whole 64-bit little-endian ELF comes back as it is", () => {
  const magic = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  fc.assert(
    fc.property(fc.boolean(), fc.uint8Array({ maxLength: 400 }), (isElf, bytes) => {
      const file = Buffer.concat([isElf ? magic : Buffer.alloc(0), bytes]);
      const kept = trimElf(file);
      assert.ok(kept.length <= file.length);
      if (!isElf) assert.equal(kept, file);
    }),
  );
});

test("blocks: each is short and alone, together they are the data", async () => {
  for (const size of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK]) {
    const data = Buffer.from(Array.from({ length: 997 }, (_, k) => (k * k) % 251));
    const whole = Buffer.alloc(size, data);
    const packed = await packBlocks(whole);
    const parts: Buffer[] = [];
    for (let at = 0; at < packed.length; ) {
      const [length, own] = [packed.readUInt32BE(at), packed.readUInt32BE(at + 4)];
      const part = inflateRawSync(packed.subarray(at + 8, at + 8 + length));
      assert.equal(part.length, own);
      assert.ok(own > 0 && own <= BLOCK);
      parts.push(part);
      at += 8 + length;
    }
    assert.ok(Buffer.concat(parts).equals(whole), String(size));
  }
});
