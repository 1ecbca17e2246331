/**
 * A line of JSON that says of itself whether it is whole: its last member is the CRC-32 of what comes before it. A disk that tore the line,
 * filled it with zeros or turned a bit of it is found out, and any JSON parser still reads it. python/shim_events.py writes the same.
 */

/** Reversed polynomial of IEEE 802.3, as zlib and binascii have it. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

const utf8 = new TextEncoder();

export function crc32(text: string): string {
  let crc = 0xffffffff;
  for (const byte of utf8.encode(text)) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

/** `json`: an object that has members. */
export function seal(json: string): string {
  const body = json.slice(0, -1);
  return `${body},"crc":"${crc32(body)}"}`;
}

const SEAL = /,"crc":"([0-9a-f]{8})"\}$/;

/** The object as it was sealed; null: the line is not what was written. */
export function unseal(line: string): string | null {
  const found = SEAL.exec(line);
  if (found === null) return null;
  const body = line.slice(0, found.index);
  return crc32(body) === found[1] ? `${body}}` : null;
}
