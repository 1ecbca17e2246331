/** A piece of a file that others append to; opened for it alone, so that a thousand streams under reading hold no descriptors. */

import { open } from "node:fs/promises";

/** As much of `length` bytes from `from` as is there; none when the file is not. */
export async function readPiece(path: string, from: number, length: number): Promise<Buffer> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (file === null) return Buffer.alloc(0);
  try {
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(buffer, 0, length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
