/** dist/THIRD-PARTY.txt: the licences of the packages whose code is inside the bundles, as those licences ask. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** node_modules/@scope/name/… or nested node_modules: the directory of the innermost package. */
function packageDir(input: string): string | undefined {
  const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
  return match?.[1];
}

export function collectNotices(root: string, inputs: Iterable<string>): string {
  const dirs = new Set<string>();
  for (const input of inputs) {
    const dir = packageDir(input);
    if (dir !== undefined) dirs.add(dir);
  }
  return [...dirs]
    .sort()
    .map((dir) => notice(join(root, dir)))
    .join(`\n${"-".repeat(80)}\n`);
}

function notice(dir: string): string {
  const meta = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as { name: string; version: string; license?: string };
  const file = readdirSync(dir).find((name) => /^licen[cs]e/i.test(name));
  const text = file === undefined ? `Licence: ${meta.license ?? "not stated"}` : readFileSync(join(dir, file), "utf8").trim();
  return `${meta.name} ${meta.version}\n\n${text}\n`;
}
