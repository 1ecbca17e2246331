/** After a takeover: code and secret values that only the controller before this one had are had from a host that it made ready. */

import { createHash } from "node:crypto";
import { z } from "zod";
import { fail } from "../../cluster/errors.ts";
import { type Authority, type Command, checkpointPiece, FRAME_DATA, secretsReply, snapshotEntry } from "../../cluster/protocol.ts";
import { hostsOf, type RunState } from "../../cluster/run/state.ts";
import type { RunSpec, SecretValues } from "../../cluster/spec.ts";
import { treeText } from "../../cluster/tree.ts";
import type { Code } from "../sync/send.ts";
import { keepSecrets, secretsOf } from "./secrets.ts";

export type Peer = { readonly host: string; readonly command: (command: Command) => Promise<unknown> };
type Fence = Authority & { readonly run: string };

/** Hosts other than `but` that were made ready for the run and can be asked. */
export const peersOf = (state: RunState, but: string, linkedTo: (host: string) => { readonly link: Omit<Peer, "host"> } | null): readonly Peer[] =>
  hostsOf(state).flatMap(({ name, dir }) => {
    const link = name === but || dir === null ? undefined : linkedTo(name)?.link;
    return link === undefined ? [] : [{ host: name, command: link.command }];
  });

/** Those that this controller lacks are kept from now on. Never rejects. */
export async function recallSecrets(peers: readonly Peer[], fence: Fence, spec: RunSpec): Promise<void> {
  const known = secretsOf(spec.run);
  const isWhole = Object.entries(spec.secretNames).every(([scope, names]) => names.every((name) => known[scope]?.[name] !== undefined));
  if (!isWhole && peers.length > 0) keepSecrets(spec.run, await secretsOfPeers(peers, fence, spec, known));
}

/** The values that `known` lacks, as far as a peer has them. What a peer was given for itself alone is nobody else's. */
export async function secretsOfPeers(peers: readonly Peer[], fence: Fence, spec: RunSpec, known: SecretValues): Promise<SecretValues> {
  let found: SecretValues = known;
  for (const { host, command } of peers) {
    const own = spec.secretNames[host] ?? [];
    const common = (spec.secretNames["*"] ?? []).filter((name) => !own.includes(name));
    if (common.every((name) => found["*"]?.[name] !== undefined) && own.every((name) => found[host]?.[name] !== undefined)) continue;
    const reply = secretsReply.safeParse(await command({ do: "read-secrets", ...fence }).catch(() => null));
    if (!reply.success) continue;
    const had = (names: readonly string[]): Record<string, string> =>
      Object.fromEntries(names.flatMap((name) => (reply.data.secrets[name] === undefined ? [] : [[name, reply.data.secrets[name]]])));
    found = { ...found, "*": { ...had(common), ...found["*"] }, [host]: { ...had(own), ...found[host] } };
  }
  return found;
}

/** Of the first peer that has all of it; null: none has. */
export async function codeOfPeers(peers: readonly Peer[], fence: Fence, tree: string): Promise<Code | null> {
  for (const { command } of peers) {
    const read = (sha256: string | null): AsyncGenerator<Buffer> => readWhole(command, fence, sha256);
    try {
      const pieces: Buffer[] = [];
      for await (const piece of read(null)) pieces.push(Buffer.from(piece));
      const { entries } = z.object({ entries: z.array(snapshotEntry) }).parse(JSON.parse(Buffer.concat(pieces).toString("utf8")));
      if (createHash("sha256").update(treeText(entries)).digest("hex") === tree) return { entries, tree, bytesOf: ({ sha256 = "" }) => read(sha256) };
    } catch {
      // another one may have it
    }
  }
  return null;
}

/** In pieces that fit a frame. Errors: the host's; CODE_CHANGED. */
async function* readWhole(command: Peer["command"], fence: Fence, sha256: string | null): AsyncGenerator<Buffer> {
  let offset = 0;
  let size: number;
  do {
    const piece = checkpointPiece.parse(await command({ do: "read-code", ...fence, sha256, offset }));
    const data = Buffer.from(piece.data, "base64");
    size = piece.size;
    if (data.length === 0 && offset < size) throw fail("CODE_CHANGED", { path: sha256 ?? "the list of files" });
    for (let at = 0; at < data.length || size === 0; at += FRAME_DATA) {
      yield data.subarray(at, at + FRAME_DATA);
      if (size === 0) break;
    }
    offset += data.length;
  } while (offset < size);
}
