/** Which documents are generated, whole or in blocks, each with the text it should have. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderChecks } from "./checks.ts";
import { renderCommands, renderCommandTable } from "./commands.ts";
import { renderErrors } from "./errors.ts";
import { renderFindings } from "./findings.ts";
import { renderJson } from "./json.ts";
import { withBlock } from "./markdown.ts";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export type Document = { readonly path: string; readonly text: string };

export const documents = (): Document[] => [
  { path: "docs/errors.md", text: renderErrors() },
  { path: "docs/findings.md", text: renderFindings() },
  { path: "docs/checks.md", text: renderChecks() },
  { path: "docs/commands.md", text: renderCommands() },
  { path: "docs/json.md", text: renderJson() },
  { path: "README.md", text: withBlock(readFileSync(join(root, "README.md"), "utf8"), "commands", renderCommandTable()) },
];
