/** dist/manifest.json: what an agent's bundle consists of, by hash. Hosts keep bundles by this hash and check every file against it. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** `name` is flat, as it lies on a host; `path` is where the file lies in dist. */
export type BundleFile = { readonly name: string; readonly path: string; readonly sha256: string; readonly size: number };
/** `build` tells one controller from another: a command of another build replaces the one that runs. */
export type Manifest = {
  readonly version: string;
  readonly build: string;
  readonly agentBundle: { readonly hash: string; readonly files: readonly BundleFile[] };
};

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

export function describeBundle(version: string, distDir: string, paths: readonly string[]): Manifest {
  const files = paths
    .map((path): BundleFile => {
      const content = readFileSync(join(distDir, path));
      return { name: basename(path), path, sha256: sha256(content), size: content.length };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const hash = sha256(files.map((file) => `${file.sha256}  ${file.name}\n`).join(""));
  const daemon = join(distDir, "daemon.mjs");
  const build = sha256(`${version} ${hash} ${existsSync(daemon) ? sha256(readFileSync(daemon)) : ""}`);
  return { version, build, agentBundle: { hash, files } };
}
