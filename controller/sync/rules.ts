/** Ignore rules in gitignore's syntax, each able to say which line it is. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ignore, { type Ignore } from "ignore";

export type Rules = Ignore;

export const IGNORE_FILE = ".nexaignore";

/** The rules of `root`/.nexaignore; a missing file is no rules. */
export async function readRules(root: string, usual: readonly string[]): Promise<Rules> {
  const rules = ignore({ ignorecase: false });
  for (const pattern of usual) rules.add({ pattern, mark: "left out by default" });
  const text = await readFile(join(root, IGNORE_FILE), "utf8").catch(() => "");
  for (const [index, pattern] of text.split(/\r?\n/).entries()) rules.add({ pattern, mark: `${IGNORE_FILE}:${index + 1}` });
  return rules;
}

/** Which rule leaves `path` out, in words; null: none. A directory's path ends in "/". */
export function ruleFor(rules: Rules, path: string): string | null {
  const { ignored, rule } = rules.test(path);
  return ignored ? `${rule?.mark ?? "a rule"}: ${rule?.pattern ?? "?"}` : null;
}
