/** Writes the generated documents; a test holds that they are current. Run it after a change of an error, a command or an option. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { documents, root } from "./docs/documents.ts";

for (const { path, text } of documents()) {
  writeFileSync(join(root, path), text);
  console.log(path);
}
