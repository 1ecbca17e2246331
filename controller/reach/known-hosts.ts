/** known_hosts with OpenSSH's semantics, pure: text in, verdict on a presented key out. */

import { createHash, createHmac, randomBytes } from "node:crypto";

export type KnownHostLine = {
  readonly at: string; // file:line
  readonly file: string;
  readonly marker: "" | "@revoked" | "@cert-authority";
  readonly hosts: string;
  readonly type: string;
  readonly key: string; // base64 of the blob
};

export type HostKey = { readonly type: string; readonly key: string; readonly fingerprint: string };

export type HostKeyVerdict =
  | { readonly kind: "known" }
  | { readonly kind: "unknown" /** The host is known by keys of other types, here. */; readonly otherTypeAt?: KnownHostLine }
  | { readonly kind: "changed" | "revoked"; readonly line: KnownHostLine };

export function parseKnownHosts(file: string, text: string): KnownHostLine[] {
  const lines: KnownHostLine[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const fields = raw.trim().split(/[ \t]+/);
    const first = fields[0] ?? "";
    if (first === "" || first.startsWith("#")) continue;
    const marker = first === "@revoked" || first === "@cert-authority" ? first : "";
    if (marker !== "") fields.shift();
    else if (first.startsWith("@")) continue;
    const [hosts, type, key] = fields;
    if (hosts === undefined || type === undefined || key === undefined || !/^[A-Za-z0-9+/]+=*$/.test(key)) continue;
    lines.push({ at: `${file}:${index + 1}`, file, marker, hosts, type, key });
  }
  return lines;
}

export function describeHostKey(blob: Buffer): HostKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return {
    type: blob.subarray(4, 4 + length).toString("latin1"),
    key: blob.toString("base64"),
    fingerprint: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`,
  };
}

export const findLines = (lines: readonly KnownHostLine[], name: string): KnownHostLine[] => lines.filter((line) => matchesHost(line.hosts, name));

export function judgeHostKey(lines: readonly KnownHostLine[], keyName: string, presented: HostKey): HostKeyVerdict {
  const here = findLines(lines, keyName);
  const isSame = (line: KnownHostLine) => line.type === presented.type && line.key === presented.key;
  // `[host]:port` lists first, then a plain `host`, of which only an equal key counts, as in ssh.
  const portless = /^\[(.*)\]:\d+$/.exec(keyName)?.[1];
  const plain = portless === undefined ? [] : findLines(lines, portless);
  const revoked = [...here, ...plain].find((line) => line.marker === "@revoked" && isSame(line));
  if (revoked !== undefined) return { kind: "revoked", line: revoked };
  const listed = here.filter((line) => line.marker === "");
  if (listed.some(isSame) || plain.some((line) => line.marker === "" && isSame(line))) return { kind: "known" };
  const sameType = listed.find((line) => line.type === presented.type);
  if (sameType !== undefined) return { kind: "changed", line: sameType };
  return listed[0] === undefined ? { kind: "unknown" } : { kind: "unknown", otherTypeAt: listed[0] };
}

/** Key types that the host is known by, for the order of algorithms: a file that knows only RSA must be asked for RSA. */
export function knownTypes(lines: readonly KnownHostLine[], keyName: string): string[] {
  const portless = /^\[(.*)\]:\d+$/.exec(keyName)?.[1];
  const listed = findLines(lines, keyName).filter((line) => line.marker === "");
  const plain = portless === undefined || listed.length > 0 ? [] : findLines(lines, portless).filter((line) => line.marker === "");
  return [...new Set([...listed, ...plain].map((line) => line.type))];
}

export function formatKnownHost(keyName: string, presented: HostKey, hashed: boolean): string {
  const salt = randomBytes(20);
  const hosts = hashed ? `|1|${salt.toString("base64")}|${hashName(salt, keyName)}` : keyName;
  return `${hosts} ${presented.type} ${presented.key}\n`;
}

const hashName = (salt: Buffer, name: string): string => createHmac("sha1", salt).update(name).digest("base64");

function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith("|")) {
    const [, version, salt, hash] = hosts.split("|");
    return version === "1" && salt !== undefined && hash !== undefined && hashName(Buffer.from(salt, "base64"), name.toLowerCase()) === hash;
  }
  let matched = false;
  for (const pattern of hosts.toLowerCase().split(",")) {
    const isNegated = pattern.startsWith("!");
    if (!matchesPattern(isNegated ? pattern.slice(1) : pattern, name.toLowerCase())) continue;
    if (isNegated) return false;
    matched = true;
  }
  return matched;
}

/** `*` and `?` of ssh patterns, in linear memory and without a regular expression made from a file. */
function matchesPattern(pattern: string, text: string): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0];
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
