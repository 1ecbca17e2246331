/** Who may import whom: the arrows between the folders of ARCHITECTURE.md. */

import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { linesOf, typescriptFiles } from "./sources.ts";

type Import = { readonly from: string; readonly line: number; readonly target: string; readonly isDynamic: boolean };

const rules: readonly { readonly from: RegExp; readonly forbid: RegExp; readonly why: string; readonly unlessDynamic?: true }[] = [
  { from: /^cluster\//, forbid: /^node:/, why: "the core is pure: no I/O, time and randomness are arguments" },
  { from: /^cluster\//, forbid: /^(ws|ssh2|execa|systeminformation|commander)$/, why: "the core is pure: no I/O" },
  { from: /^cluster\//, forbid: /^(controller|agent|tui|scripts|test)\//, why: "the core knows nobody" },
  { from: /^controller\//, forbid: /^agent\//, why: "a controller and an agent share the wire and nothing else" },
  { from: /^controller\//, forbid: /^tui\//, why: "the TUI is loaded when it is shown", unlessDynamic: true },
  { from: /^controller\/(?!cli\/)/, forbid: /^(controller\/cli|tui)\//, why: "the daemon has no face" },
  { from: /^agent\//, forbid: /^(controller|tui)\//, why: "a controller and an agent share the wire and nothing else" },
  { from: /^agent\//, forbid: /^(ssh2|commander|yaml)$/, why: "it travels to every host" },
  { from: /^tui\//, forbid: /^(controller|agent)\//, why: "viewers hold no state: they speak the viewers' protocol" },
  { from: /^(cluster|controller|agent|tui)\//, forbid: /^(scripts|test)\//, why: "what ships does not need what builds or tests it" },
  { from: /^scripts\/(?!bench\/|docs\/pictures)/, forbid: /^test\//, why: "scripts run without the tests; a bench and docs' pictures may share their support" },
];

const IMPORT = /(?:\bfrom\s*|\bimport\s*|\b(import|require)\s*\(\s*)"([^"]+)"/g;

export function importsIn(from: string, line: number, text: string): Import[] {
  return [...text.matchAll(IMPORT)].map(([, call, name = ""]) => ({
    from,
    line,
    target: name.startsWith(".") ? normalize(join(dirname(from), name)) : name,
    isDynamic: call !== undefined,
  }));
}

export function broken(imports: readonly Import[]): string[] {
  return imports.flatMap((found) =>
    rules
      .filter((rule) => rule.from.test(found.from) && rule.forbid.test(found.target) && !(rule.unlessDynamic && found.isDynamic))
      .map((rule) => `${found.from}:${found.line} imports ${found.target}: ${rule.why}`),
  );
}

test("folders import only along the arrows", () => {
  const imports = typescriptFiles.flatMap((path) => [...linesOf(path)].flatMap(({ number, text }) => importsIn(path, number, text)));
  assert.ok(imports.length > 0, "the pattern finds imports");
  assert.deepEqual(broken(imports), []);
});

test("the rules see what they forbid", () => {
  const cases: [string, string][] = [
    ["cluster/run/reduce.ts", 'import { readFile } from "node:fs";'],
    ["cluster/x.ts", 'import type { A } from "../agent/main.ts";'],
    ["controller/daemon/main.ts", 'export * from "../../agent/link.ts";'],
    ["controller/cli/up.ts", 'import "../../tui/main.tsx";'],
    ["controller/daemon/main.ts", 'await import("../../tui/main.tsx")'],
    ["tui/store.ts", '} from "../controller/paths.ts";'],
    ["agent/tail.ts", 'import { x } from "../scripts/build.ts";'],
  ];
  for (const [path, text] of cases) assert.equal(broken(importsIn(path, 1, text)).length > 0, true, `${path}: ${text}`);
  assert.deepEqual(broken(importsIn("controller/cli/up.ts", 1, 'const { show } = await import("../../tui/main.tsx");')), []);
  assert.deepEqual(broken(importsIn("tui/store.ts", 1, 'import type { ViewerEvent } from "../cluster/viewer.ts";')), []);
});
