/** How a runtime travels: no more of its file than a system loads, in blocks that a host unpacks side by side. */

import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { deflateRaw } from "node:zlib";

/** Bytes of a block; python/host_store.py takes no larger ones. Cut this small, packing loses 0.1 % and a block stays in a CPU's cache. */
export const BLOCK = 1 << 20;

const deflate = promisify(deflateRaw) as (data: Uint8Array, options: { level: number }) => Promise<Buffer>;

const ELF64_LITTLE = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
const PT_LOAD = 1;

/** Without what only debuggers and linkers read (symbols and section table, behind the last loaded segment): 14 % of Node. Others come back as they are. */
export function trimElf(file: Buffer): Buffer {
  if (file.length < 64 || !file.subarray(0, 6).equals(ELF64_LITTLE)) return file;
  const table = Number(file.readBigUInt64LE(32));
  const [entrySize, count] = [file.readUInt16LE(54), file.readUInt16LE(56)];
  let end = table + entrySize * count;
  if (entrySize < 56 || end > file.length) return file;
  for (let at = table; at < table + entrySize * count; at += entrySize) {
    if (file.readUInt32LE(at) === PT_LOAD) end = Math.max(end, Number(file.readBigUInt64LE(at + 8) + file.readBigUInt64LE(at + 32)));
  }
  if (end > file.length) return file;
  const kept = Buffer.from(file.subarray(0, end));
  kept.writeBigUInt64LE(0n, 40); // e_shoff
  kept.writeUInt16LE(0, 60); // e_shnum
  kept.writeUInt16LE(0, 62); // e_shstrndx
  return kept;
}

/** Each block as two lengths (packed, own; 4 bytes, big-endian) and the deflated bytes. */
export async function packBlocks(data: Uint8Array): Promise<Buffer> {
  const count = Math.ceil(data.length / BLOCK);
  const packed: Buffer[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const block = data.subarray(index * BLOCK, (index + 1) * BLOCK);
      const body = await deflate(block, { level: 6 });
      const head = Buffer.alloc(8);
      head.writeUInt32BE(body.length, 0);
      head.writeUInt32BE(block.length, 4);
      packed[index] = Buffer.concat([head, body]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return Buffer.concat(packed);
}
