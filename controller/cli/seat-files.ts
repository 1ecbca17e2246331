/** What a seat needs of us: the controller and what it brings to hosts itself, flat, as a bundle by hash. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { distDir, type Manifest, readManifest } from "../assets.ts";

export type SeatFile = { readonly name: string; readonly data: Buffer };
export type SeatBundle = { readonly hash: string; readonly files: readonly SeatFile[] };

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
export const described = ({ name, data }: SeatFile): object => ({ name, mode: 0o644, size: data.length, sha256: sha256(data) });

export async function readSeatBundle(): Promise<SeatBundle> {
  const manifest = await readManifest();
  const { agentBundle } = manifest;
  const flat: Manifest = { ...manifest, agentBundle: { ...agentBundle, files: agentBundle.files.map((file) => ({ ...file, path: file.name })) } };
  const files: SeatFile[] = [
    { name: "manifest.json", data: Buffer.from(JSON.stringify(flat)) },
    ...(await Promise.all(["seat.mjs", "daemon.mjs"].map(async (name) => ({ name, data: await readFile(join(distDir, name)) })))),
    ...(await Promise.all(agentBundle.files.map(async ({ name, path }) => ({ name, data: await readFile(join(distDir, path)) })))),
  ];
  return { hash: sha256(JSON.stringify(files.map(described))), files };
}

export async function* payloadOf({ files }: SeatBundle): AsyncIterable<Uint8Array> {
  for (const { data } of files) yield data;
}
