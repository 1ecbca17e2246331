/** The keys of the cluster file as a table: for typos, for NEXADIST_* names, for `config schema`. */

import type { Path } from "./problem.ts";
import { clusterJsonSchema } from "./schema.ts";

type Node = {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly additionalProperties?: unknown;
};

let made: Node | undefined;
const root = (): Node => (made ??= clusterJsonSchema() as Node);

const branches = (node: Node): readonly Node[] => [node, ...(node.anyOf ?? [])];

/** Names that may stand in the map at `path`. */
export function keysAt(path: Path): readonly string[] {
  let here: readonly Node[] = branches(root());
  for (const part of path) {
    here = here.flatMap((node) => {
      const next = typeof part === "number" ? node.items : node.properties?.[part];
      return next === undefined ? [] : branches(next);
    });
  }
  return here.flatMap((node) => Object.keys(node.properties ?? {}));
}

export type KeyRow = { readonly key: string; readonly what: string; readonly holds: "scalar" | "list" | "map" };

/** Every key in the order of the schema; `[]` stands for an entry's index, `NAME` for a variable. */
export function keyTable(): readonly KeyRow[] {
  const rows: KeyRow[] = [];
  const walk = (node: Node, path: string): void => {
    for (const [name, value] of Object.entries(node.properties ?? {})) {
      const key = path === "" ? name : `${path}.${name}`;
      const all = branches(value);
      const map = all.find((branch) => branch.properties !== undefined);
      const list = all.find((branch) => branch.items !== undefined);
      const variables = all.some((branch) => branch.additionalProperties !== undefined && branch.additionalProperties !== false);
      if (value.description !== undefined || map === undefined) {
        rows.push({
          key: variables ? `${key}.NAME` : key,
          what: value.description ?? "",
          holds: map || variables ? "map" : list !== undefined ? "list" : "scalar",
        });
      }
      if (map !== undefined) walk(map, key);
      if (list?.items?.properties !== undefined) walk(list.items, `${key}[]`);
    }
  };
  walk(root(), "");
  return rows;
}

/** Keys that hold one value and so can come from the environment: NEXADIST_TIMEOUTS_CONNECT is timeouts.connect. */
export function environmentKeys(): ReadonlyMap<string, string> {
  const keys = keyTable().filter(({ key, holds }) => !key.includes("[]") && (holds === "scalar" || key === "defaults.gpus"));
  return new Map(keys.map(({ key }) => [`NEXADIST_${key.toUpperCase().replaceAll(".", "_")}`, key]));
}

/** Names that a later version will act on: refused today with words of their own. */
const LATER: Readonly<Record<string, string>> = {
  elastic: "elastic runs",
  allow_relay: "collectives over a relay",
  agent: "settings of the agent",
  artifacts: "artifacts in S3",
  sync: "settings of the code sync",
  diag: "diagnosis",
  tailscale: "Tailscale",
  hooks: "hooks",
  manifest: "settings of the manifest",
  "timeouts.progress": "hang detection",
  "job.eval": "evaluation",
  "job.stage": "stages",
  "job.stages": "stages",
  "job.model": "the model in the manifest",
  "job.dataset": "the data set in the manifest",
  "paths.artifacts": "artifacts in S3",
  "logs.retention": "ageing of logs",
};

/** What the unknown `key` in the map at `path` will be for, once it is there; null: nothing is planned. */
export function laterFeature(path: Path, key: string): string | null {
  const full = [...path, key].filter((part) => typeof part === "string").join(".");
  return Object.hasOwn(LATER, full) ? (LATER[full] ?? null) : null;
}
