/** Binary frames of a link: bytes with a small header. */

import * as z from "zod";

/**
 * Binary frames: u32 big endian length of a JSON header, the header, the bytes.
 * log: bytes of `stream` ("a1/rank3.out", "a1/launcher.err") from `offset`. gap: bytes offset..to do not exist any more.
 */
export const binaryHeader = z.discriminatedUnion("t", [
  z.object({ t: z.literal("log"), run: z.string(), stream: z.string(), offset: z.int() }),
  z.object({ t: z.literal("gap"), run: z.string(), stream: z.string(), offset: z.int(), to: z.int(), why: z.string() }),
  z.object({ t: z.literal("exec"), id: z.int(), fd: z.union([z.literal(1), z.literal(2)]) }),
  z.object({ t: z.literal("blob"), run: z.string(), sha256: z.string(), offset: z.int(), size: z.int() }),
]);
export type BinaryHeader = z.infer<typeof binaryHeader>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function packFrame(header: BinaryHeader, data: Uint8Array): Uint8Array {
  const head = encoder.encode(JSON.stringify(header));
  const frame = new Uint8Array(4 + head.length + data.length);
  new DataView(frame.buffer).setUint32(0, head.length);
  frame.set(head, 4);
  frame.set(data, 4 + head.length);
  return frame;
}

/** Errors: throws on anything that is not such a frame; the caller closes the link with CLOSE.malformed. */
export function unpackFrame(frame: Uint8Array): { header: BinaryHeader; data: Uint8Array } {
  const length = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(0);
  if (length > 4096 || 4 + length > frame.length) throw new RangeError("frame header does not fit the frame");
  const header = binaryHeader.parse(JSON.parse(decoder.decode(frame.subarray(4, 4 + length))));
  return { header, data: frame.subarray(4 + length) };
}
