/** A tar archive of small texts, as POSIX ustar has it. */

export type Entry = { readonly path: string; readonly text: string };

const BLOCK = 512;

function header(path: string, size: number, seconds: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (text: string, at: number, length: number): void => void block.write(text.slice(0, length), at, "utf8");
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;
  put(path, 0, 100);
  put(octal(0o600, 8), 100, 8);
  put(octal(0, 8), 108, 8);
  put(octal(0, 8), 116, 8);
  put(octal(size, 12), 124, 12);
  put(octal(seconds, 12), 136, 12);
  put("        ", 148, 8);
  put("0", 156, 1);
  put("ustar\0", 257, 6);
  put("00", 263, 2);
  const sum = block.reduce((all, byte) => all + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

/** Paths of at most 100 bytes, ASCII. */
export function tar(entries: readonly Entry[], at: number): Buffer {
  const parts = entries.flatMap(({ path, text }) => {
    const data = Buffer.from(text, "utf8");
    return [header(path, data.length, Math.floor(at / 1000)), data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
