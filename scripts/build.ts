/**
 * Builds dist/: Node strips no types under node_modules and hosts have no node_modules, so what ships is bundled JavaScript.
 *
 * Files are renamed into place one by one, the stamp last, so that a running CLI never meets half a file; a chunk's name holds its hash, so the old ones may
 * stay for programs that run. `--clean` (a package's build) removes what this build did not make.
 */

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile } from "esbuild";
import { takeLock } from "./build/lock.ts";
import { describeBundle } from "./build/manifest.ts";
import { collectNotices } from "./build/notices.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22",
  outExtension: { ".js": ".mjs" },
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
  jsx: "automatic",
  // ssh2 tries both in a try block and does without: its own crypto binding and CPU detection are native.
  external: ["*.node", "cpu-features"],
  // CommonJS packages inside an ES module still call require and look at __dirname.
  banner: {
    js: [
      'import { createRequire as makeRequire } from "node:module";',
      "const require = makeRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;",
    ].join("\n"),
  },
};

async function bundle(outdir: string, version: string): Promise<Metafile[]> {
  const define = { "process.env.NEXADIST_VERSION": JSON.stringify(version) };
  const bundleEntry = (name: string, entry: string, more: BuildOptions = {}) => build({ ...common, define, outdir, entryPoints: { [name]: entry }, ...more });
  const builds = [
    // Split, so that `version` loads nothing but its own chunk and the TUI only when it is shown.
    bundleEntry("cli", "controller/cli/entry.ts", {
      splitting: true,
      chunkNames: "chunks/[name]-[hash]",
      // React that does not check everything twice, and without Ink's own tools for developers.
      define: { ...define, "process.env.NODE_ENV": '"production"' },
      external: [...(common.external ?? []), "react-devtools-core"],
    }),
    // One file each: a daemon or an agent outlives the files it was started from.
    bundleEntry("daemon", "controller/daemon/main.ts"),
    bundleEntry("agent", "agent/main.ts"),
    bundleEntry("seat", "controller/cli/seat-entry.ts"),
  ];
  // All have ended before the first failure is thrown: one that still wrote would bring the directory back.
  await Promise.allSettled(builds);
  const results = await Promise.all(builds);
  return results.flatMap((result) => (result.metafile === undefined ? [] : [result.metafile]));
}

function copyPython(outdir: string): string[] {
  mkdirSync(join(outdir, "python"));
  const names = readdirSync(join(root, "python")).filter((name) => name.endsWith(".py"));
  for (const name of names) cpSync(join(root, "python", name), join(outdir, "python", name));
  return names.map((name) => `python/${name}`);
}

function* filesUnder(dir: string, prefix = ""): Generator<string> {
  for (const entry of readdirSync(join(dir, prefix), { withFileTypes: true })) {
    const path = join(prefix, entry.name);
    if (entry.isDirectory()) yield* filesUnder(dir, path);
    else yield path;
  }
}

/** Entries after the chunks they import. */
function moveIntoPlace(from: string): void {
  const order = (path: string) => (path.includes("/") ? 0 : path === ".stamp" ? 2 : 1);
  for (const path of [...filesUnder(from)].sort((a, b) => order(a) - order(b))) {
    mkdirSync(dirname(join(dist, path)), { recursive: true });
    renameSync(join(from, path), join(dist, path));
  }
}

async function main(isClean: boolean): Promise<void> {
  mkdirSync(join(root, ".build"), { recursive: true });
  const askedAt = Date.now();
  const lock = await takeLock(join(root, ".build/build.lock"));
  try {
    const stamp = join(dist, ".stamp");
    if (lock.waited && !isClean && existsSync(stamp) && statSync(stamp).mtimeMs >= askedAt) return;
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    const outdir = mkdtempSync(join(root, ".build/dist-"));
    try {
      // Its time is that of the start: a source saved while we build is newer.
      writeFileSync(join(outdir, ".stamp"), "");
      const metafiles = await bundle(outdir, version);
      const manifest = describeBundle(version, outdir, ["agent.mjs", ...copyPython(outdir)]);
      writeFileSync(join(outdir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
      const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
      writeFileSync(join(outdir, "THIRD-PARTY.txt"), collectNotices(root, inputs));
      const built = new Set(filesUnder(outdir));
      moveIntoPlace(outdir);
      if (isClean) for (const path of [...filesUnder(dist)].filter((old) => !built.has(old))) rmSync(join(dist, path));
    } finally {
      rmSync(outdir, { recursive: true, force: true });
    }
  } finally {
    lock.release();
  }
}

try {
  await main(process.argv.includes("--clean"));
} catch (error) {
  // esbuild has printed what it could not build, with the lines.
  if (!(error instanceof Error && "errors" in error)) throw error;
  process.exitCode = 1;
}
