/** Generated documents are current, and what documents say exists. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ERRORS } from "../../cluster/error-table.ts";
import { documents } from "../../scripts/docs/documents.ts";
import { allFiles, read, root } from "./sources.ts";

for (const { path, text } of documents()) {
  test(`${path} is current`, () => {
    assert.ok(existsSync(join(root, path)) && read(path) === text, "run: node scripts/gen-docs.ts");
  });
}

test("every error code is documented, with a cure", () => {
  const text = read("docs/errors.md");
  for (const code of Object.keys(ERRORS)) {
    const row = text.split("\n").find((line) => line.includes(`\`${code}\``));
    assert.ok(row !== undefined, code);
    const cells = row.split(/(?<!\\)\|/).map((part) => part.trim());
    assert.ok(cells.length === 6 && cells[3] !== "" && cells[4] !== "" && !/undefined|NaN|\[object/.test(row), row);
  }
});

test("links in documents lead to files that are there", () => {
  for (const path of allFiles.filter((name) => name.endsWith(".md"))) {
    for (const [, target = ""] of read(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (!/^[a-z]+:/.test(target)) assert.ok(existsSync(join(root, dirname(path), target)), `${path} links to ${target}`);
    }
  }
});
