/** What a taker has from the hosts of a run: secret values by their scope, and code of any size, from whoever has all of it. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { CHECKPOINT_PIECE, type Command, FRAME_DATA } from "../../../cluster/protocol.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import { treeText } from "../../../cluster/tree.ts";
import { codeOfPeers, type Peer, secretsOfPeers } from "../../../controller/daemon/from-peers.ts";

const FENCE = { run: "r", epoch: 2, controller: "c" };
const sha = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");
const peer = (host: string, answer: (command: Command) => unknown): Peer => ({ host, command: async (command) => answer(command) });
const dead = peer("dead", () => {
  throw new Error("its link broke");
});

test("values come by their scope: what one host was given for itself is nobody else's; who cannot be asked is passed over", async () => {
  const spec = { secretNames: { "*": ["A", "B"], b: ["B", "C"] } } as unknown as RunSpec;
  const b = peer("b", () => ({ secrets: { A: "a-all", B: "b-of-b", C: "c-of-b" } }));
  const c = peer("c", () => ({ secrets: { A: "a-all", B: "b-all" } }));
  assert.deepEqual(await secretsOfPeers([dead, b, c], FENCE, spec, {}), { "*": { A: "a-all", B: "b-all" }, b: { B: "b-of-b", C: "c-of-b" }, c: {} });
  const known = { "*": { A: "mine", B: "mine" }, b: { B: "mine", C: "mine" } };
  assert.deepEqual(await secretsOfPeers([b, c], FENCE, spec, known), known, "what is known here counts");
});

test("code comes whole, in pieces that fit a frame, from the first that has this very tree", async () => {
  const files = [Buffer.alloc(0), Buffer.from("x"), Buffer.alloc(FRAME_DATA, "y"), Buffer.alloc(CHECKPOINT_PIECE * 2 + 5, "z")];
  const entries = files.map((data, k) => ({ path: `f${k}`, mode: 0o644, size: data.length, sha256: sha(data) }));
  const tree = sha(treeText(entries));
  const holding = (list: unknown) =>
    peer("b", (command) => {
      assert.ok(command.do === "read-code");
      const data = command.sha256 === null ? Buffer.from(JSON.stringify({ entries: list })) : files.find((file) => sha(file) === command.sha256);
      assert.ok(data !== undefined);
      return { data: data.toString("base64", command.offset, command.offset + CHECKPOINT_PIECE), size: data.length, id: "1" };
    });
  const code = await codeOfPeers([dead, holding(entries.slice(1)), holding("nonsense"), holding(entries)], FENCE, tree);
  assert.ok(code !== null);
  for (const [k, entry] of code.entries.entries()) {
    const pieces: Buffer[] = [];
    for await (const piece of code.bytesOf(entry)) pieces.push(Buffer.from(piece));
    assert.ok(pieces.length > 0 && pieces.every((piece) => piece.length <= FRAME_DATA));
    assert.ok(Buffer.concat(pieces).equals(files[k] ?? Buffer.alloc(1)));
  }
  assert.equal(await codeOfPeers([dead, holding(entries.slice(1))], FENCE, tree), null);
});
