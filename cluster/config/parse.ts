/** A cluster file's text to its checked form, or every problem in it. */

import { checkMeaning } from "./check.ts";
import type { Located, Positions } from "./located.ts";
import type { ConfigProblem } from "./problem.ts";
import { readYaml } from "./read-yaml.ts";
import { type ClusterFile, clusterFileSchema } from "./schema.ts";
import { inOrder, validate } from "./validate.ts";

export type ParsedFile = { readonly ok: true; readonly file: ClusterFile; readonly positions: Positions; readonly located: Located };
export type Parsed = ParsedFile | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** `name` is what problems call the file. A file that `cluster:` names is not read here: see resolveRun. */
export function parseClusterText(text: string, name: string): Parsed {
  const read = readYaml({ name, text });
  if (!read.ok) return read;
  return checkCluster(read.located);
}

export function checkCluster(located: Located): Parsed {
  const valid = validate(located, clusterFileSchema);
  if (!valid.ok) return valid;
  const problems = inOrder(checkMeaning(valid.value, located.at));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, file: valid.value, positions: located.at, located };
}
