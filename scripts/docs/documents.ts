/** Which documents are generated, each with the text it should have. */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { renderErrors } from "./errors.ts";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export type Document = { readonly path: string; readonly text: string };

export const documents = (): Document[] => [{ path: "docs/errors.md", text: renderErrors() }];
