/** What every source file must be: short, opened by a sentence on what it is, typed, and silent about the machine it was written on. */

import assert from "node:assert/strict";
import { extname } from "node:path";
import { test } from "node:test";
import { allFiles, linesOf, read, sourceFiles, typescriptFiles } from "./sources.ts";

const MAX_LINES = 300;

test("no source file is longer than 300 lines", () => {
  const long = sourceFiles.map((path) => ({ path, lines: read(path).trimEnd().split("\n").length })).filter(({ lines }) => lines > MAX_LINES);
  assert.deepEqual(long, []);
});

/** A shebang, then `#!` companions of other languages, then the sentence. */
function opensWithDoc(path: string): boolean {
  const [first = "", second = ""] = read(path)
    .split("\n")
    .filter((line) => !line.startsWith("#!"));
  if (/\.(ts|tsx|mjs)$/.test(path)) return first.startsWith("/**");
  if (extname(path) === ".py" || /^#!.*python/.test(read(path))) return /^r?"""\S/.test(first) || (first.startsWith("#") && /^r?"""\S/.test(second));
  return /^# \S/.test(first);
}

test("every source file opens with a doc comment", () => {
  assert.deepEqual(
    sourceFiles.filter((path) => !opensWithDoc(path)),
    [],
  );
});

type LineRule = { readonly name: string; readonly pattern: RegExp; readonly files: readonly string[] };

const here = /^test\/arch\//;
const text = allFiles.filter((path) => !here.test(path) && /\.(ts|tsx|mjs|json|py|sh|md|ya?ml|toml|in|txt|css)$|^[^.]*$/.test(path));
const typescript = typescriptFiles.filter((path) => !here.test(path));

const rules: readonly LineRule[] = [
  { name: "any, which hides what a type would say", pattern: /(?:[:<,|&(=]|\bas)\s*any\b(?!\s*[:'"`\w])|\bany\[\]/, files: typescript },
  { name: "a silenced type check", pattern: /@ts-(ignore|nocheck|expect-error)/, files: typescript },
  { name: "a default export", pattern: /^export default\b/, files: typescript },
  { name: "a path of somebody's machine", pattern: /(?<![\w.~}-])\/(work|Users)\/\w/, files: text },
  {
    name: "a fixed name in the shared /tmp but our own directory",
    pattern: /(?<![\w.~}-])\/tmp\/(?!nexadist[-/])[\w.-]/,
    files: sourceFiles.filter((path) => !/^test\//.test(path)),
  },
  { name: "the host of a package registry", pattern: /\b(registry\.npmjs|registry\.yarnpkg|files\.pythonhosted|test\.pypi|proxy\.golang)\.\w+/, files: text },
];

for (const rule of rules) {
  test(`no file holds ${rule.name}`, () => {
    const found = rule.files.flatMap((path) =>
      [...linesOf(path)].filter((line) => rule.pattern.test(line.text)).map((line) => `${path}:${line.number} ${line.text.trim()}`),
    );
    assert.deepEqual(found, []);
  });
}

test("every program under scripts and .ci may be executed", () => {
  const programs = allFiles.filter((path) => /^(scripts|\.ci)\/[^/.]+$/.test(path));
  assert.ok(programs.includes("scripts/nexadist"));
  assert.deepEqual(
    programs.filter((path) => !read(path).startsWith("#!")),
    [],
  );
});

test("the locks name no index and every package in them has an integrity", () => {
  type Package = { readonly resolved?: string; readonly integrity?: string; readonly version?: string };
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, Package> };
  const odd = Object.entries(packages).filter(([path, entry]) => path !== "" && (entry.resolved !== undefined || !entry.integrity || !entry.version));
  assert.deepEqual(odd, []);
  for (const path of allFiles.filter((name) => /^python\/requirements.*\.txt$/.test(name))) {
    assert.doesNotMatch(read(path), /https?:|--(extra-)?index-url|--find-links/, path);
    const lines = read(path).split("\n");
    const pinned = lines.filter((line) => /^[a-z]/.test(line));
    assert.ok(pinned.length > 0);
    assert.deepEqual(
      pinned.filter((line) => !/==\S+.* \\$/.test(line)),
      [],
      `${path}: each is pinned and followed by its hashes`,
    );
  }
});
