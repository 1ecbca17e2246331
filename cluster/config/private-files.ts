/** Files of the controller's machine that a cluster file names because they are secret: they never travel with the code. */

import { fileReference } from "./controller-paths.ts";
import type { ClusterFile } from "./schema.ts";

type Named = { readonly identity?: string | undefined; readonly env?: Readonly<Record<string, string>> | undefined };

/** Absolute paths: env_file, `file:PATH` values and webhooks, identities. */
export function privateFiles(file: ClusterFile): readonly string[] {
  const ofEnv = (env: Named["env"]): string[] => Object.values(env ?? {}).flatMap((value) => fileReference(value) ?? []);
  const lists = [file.cluster, file.spares].flatMap((list) => (Array.isArray(list) ? list : []));
  const named = [file.defaults, ...lists].flatMap((one: Named | string | undefined) => (typeof one === "object" ? [one] : []));
  const found = [
    ...(file.env_file === undefined ? [] : [file.env_file]),
    ...ofEnv(file.env),
    ...[file.notify?.webhook ?? []].flat().flatMap((value) => fileReference(value) ?? []),
    ...named.flatMap(({ identity, env }) => [...(identity === undefined ? [] : [identity]), ...ofEnv(env)]),
  ];
  return [...new Set(found)];
}
