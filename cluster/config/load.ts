/** The cluster file, the inventory that it may share, and the person's own file: read, anchored, each checked on its own. */

import { anchorPaths, directoryOf, resolvePath } from "./controller-paths.ts";
import type { Files } from "./files.ts";
import { keysAt } from "./keys.ts";
import { assign, isMap, type Located, layOver, partOf, problemIn, valueAt } from "./located.ts";
import { checkCluster } from "./parse.ts";
import type { ConfigProblem, Path } from "./problem.ts";
import { type Failed, type Read, readYaml } from "./read-yaml.ts";
import { inventorySchema, userFileSchema } from "./schema.ts";
import { validate } from "./validate.ts";

/** `path` is absolute; `name` is what the person typed and what problems say. */
export type SourceFile = { readonly path: string; readonly name: string; readonly text: string };
export type Loading = { readonly files: Files; readonly home: string; readonly noSync: boolean };

export function loadClusterFile(file: SourceFile, loading: Loading): Read {
  const read = readYaml(file);
  if (!read.ok) return read;
  const anchored = anchorPaths(read.located, { ...loading, dir: directoryOf(file.path) });
  const included = includeInventory(anchored, file, loading);
  if (!included.ok) return included;
  const checked = checkCluster(included.located);
  return checked.ok ? { ok: true, located: checked.located } : checked;
}

export function loadUserFile(file: SourceFile, loading: Loading): Read {
  const read = readYaml(file);
  if (!read.ok) return read;
  const located = anchorPaths(read.located, { ...loading, dir: directoryOf(file.path) });
  if (located.value === null) return { ok: true, located: { value: {}, at: located.at } };
  const problems = (["cluster", "spares", "controller", "job"] as const)
    .filter((key) => valueAt(located.value, [key]) !== undefined)
    .map((key) => problemIn(located.at, [key], `belongs in a cluster file: ${file.name} holds for every run`, { key: true }));
  if (problems.length > 0) return { ok: false, problems };
  const valid = validate(located, userFileSchema);
  return valid.ok ? { ok: true, located } : valid;
}

/** `cluster: ./other.yaml`: its hosts take the place of the path; its defaults go under this file's. */
function includeInventory(located: Located, file: SourceFile, loading: Loading): Read {
  const named = valueAt(located.value, ["cluster"]);
  if (typeof named !== "string" || named === "") return { ok: true, located };
  const path = resolvePath(directoryOf(file.path), named, loading.home);
  const no = (message: string): Failed => ({ ok: false, problems: [problemIn(located.at, ["cluster"], message)] });
  if (path === file.path) return no("the file includes itself");
  const text = loading.files.read(path);
  if (!text.ok) return no(`cannot read ${path}: ${text.why}`);
  const read = readYaml({ name: besides(file.name, named), text: text.text });
  if (!read.ok) return read;
  const inventory = anchorPaths(read.located, { ...loading, dir: directoryOf(path) });
  if (typeof valueAt(inventory.value, ["cluster"]) === "string") {
    return { ok: false, problems: [problemIn(inventory.at, ["cluster"], "an inventory holds its hosts itself: expected a list")] };
  }
  const problems = strangers(inventory);
  if (problems.length > 0) return { ok: false, problems };
  const valid = validate(inventory, inventorySchema);
  if (!valid.ok) return valid;
  const hosts = assign(located, ["cluster"], partOf(inventory, ["cluster"])) ?? located;
  const defaults = valueAt(inventory.value, ["defaults"]);
  if (defaults === undefined) return { ok: true, located: hosts };
  const under = assign({ value: {}, at: new Map() }, ["defaults"], partOf(inventory, ["defaults"]));
  const root = partOf(hosts, []);
  return { ok: true, located: under === null ? hosts : layOver({ value: under.value, at: new Map([...under.at, ...rootOf(root)]) }, hosts) };
}

const rootOf = (located: Located): [string, NonNullable<ReturnType<Located["at"]["get"]>>][] => {
  const where = located.at.get("");
  return where === undefined ? [] : [["", where]];
};

/** Keys of a cluster file that an inventory would carry to nobody. */
function strangers(inventory: Located): readonly ConfigProblem[] {
  if (!isMap(inventory.value)) return [];
  const path: Path = [];
  return Object.keys(inventory.value)
    .filter((key) => key !== "cluster" && key !== "defaults" && keysAt(path).includes(key))
    .map((key) => problemIn(inventory.at, [key], "only `cluster:` and `defaults:` are taken from an inventory", { key: true }));
}

/** The name of an included file as the person would type it. */
function besides(name: string, included: string): string {
  if (included.startsWith("/") || included.startsWith("~")) return included;
  const dir = name.includes("/") ? name.slice(0, name.lastIndexOf("/") + 1) : "";
  return dir + included.replace(/^\.\//, "");
}
