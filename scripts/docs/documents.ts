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
import { pictures } from "./pictures.ts";
import { renderKeys, renderPictures } from "./tui.ts";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export type Document = { readonly path: string; readonly text: string };

const inPlace = (path: string, blocks: Readonly<Record<string, string>>): Document => ({
  path,
  text: Object.entries(blocks).reduce((text, [name, content]) => withBlock(text, name, content), readFileSync(join(root, path), "utf8")),
});

export const documents = (): Document[] => [
  { path: "docs/errors.md", text: renderErrors() },
  { path: "docs/findings.md", text: renderFindings() },
  { path: "docs/checks.md", text: renderChecks() },
  { path: "docs/commands.md", text: renderCommands() },
  { path: "docs/json.md", text: renderJson() },
  inPlace("README.md", { commands: renderCommandTable() }),
  inPlace("docs/tui.md", { keys: renderKeys(), pictures: renderPictures() }),
  ...pictures(),
];
