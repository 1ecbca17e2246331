/** The checks that are no tests: types, style and the build, each a command that is silent when all is well. */

import { globSync } from "node:fs";
import { execa } from "execa";

export type Check = { readonly name: string; readonly argv: readonly string[]; readonly env?: Readonly<Record<string, string>> };

/** Python programs that travel as one flat directory import their neighbours by bare name: each directory is checked by itself. */
const PYTHON_DIRS = ["python", "scripts/lab.d", "scripts/fake-nvidia-smi.d", "configs/train"];

export function allChecks(root: string): Check[] {
  const python = PYTHON_DIRS.flatMap((dir): Check[] => {
    const files = globSync("**/*.py", { cwd: `${root}/${dir}` }).map((file) => `${dir}/${file}`);
    return files.length === 0 ? [] : [{ name: `types of ${dir}`, argv: [".venv/bin/mypy", ...files], env: { MYPYPATH: dir } }];
  });
  return [
    buildCheck,
    { name: "types", argv: ["node_modules/.bin/tsc", "--noEmit", "-p", "."] },
    { name: "style", argv: ["node_modules/.bin/biome", "check", "--error-on-warnings", "."] },
    { name: "python style", argv: [".venv/bin/ruff", "check", "-q", "."] },
    { name: "python format", argv: [".venv/bin/ruff", "format", "-q", "--diff", "."] },
    ...python,
  ];
}

export const buildCheck: Check = { name: "build", argv: [process.execPath, "scripts/build.ts"] };

/** True when it passed; says so in one line, and everything that the command said when it did not. */
export async function runCheck(check: Check, root: string): Promise<boolean> {
  const [command = "", ...args] = check.argv;
  const { exitCode, all, durationMs } = await execa(command, args, { cwd: root, all: true, reject: false, stdin: "ignore", env: { ...check.env } });
  const passed = exitCode === 0;
  console.log(`${passed ? "✔" : "✖"} ${check.name} (${(durationMs / 1000).toFixed(1)} s)`);
  if (!passed) console.log(`  ${command} ${args.join(" ")}\n${all}`);
  return passed;
}
