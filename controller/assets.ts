/** Where the built pieces are that travel to hosts: beside the built CLI, or in dist/ of a checkout. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../cluster/errors.ts";
import { HOST_PARTS, hostProgram } from "../cluster/host-program.ts";

const here = dirname(fileURLToPath(import.meta.url));

/** In dist/ every module is in that directory itself; in a checkout this file is in controller/. */
export const distDir = basename(here) === "controller" ? join(here, "..", "dist") : here.endsWith("chunks") ? dirname(here) : here;

/** `path` is relative to dist/. */
export type BundleFile = { readonly name: string; readonly path: string; readonly size: number; readonly sha256: string };
export type Manifest = {
  readonly version: string;
  readonly build: string;
  readonly agentBundle: { readonly hash: string; readonly files: readonly BundleFile[] };
};

let manifest: Promise<Manifest> | undefined;

/** Errors: NOT_BUILT when dist/ is not there. */
export function readManifest(): Promise<Manifest> {
  manifest ??= readFile(join(distDir, "manifest.json"), "utf8").then(
    (text) => JSON.parse(text) as Manifest,
    (cause: unknown) => {
      throw fail("NOT_BUILT", { path: distDir }, cause);
    },
  );
  return manifest;
}

/** On a seat all files lie flat. */
async function pathOf(name: string): Promise<string> {
  const { agentBundle } = await readManifest();
  const found = agentBundle.files.find((file) => file.name === name);
  if (found === undefined) throw fail("NOT_BUILT", { path: join(distDir, name) });
  return join(distDir, found.path);
}

const programs = new Map<string, Promise<string>>();

/** The text of a program that runs on hosts without being installed there: python/host.py, or another of the parts named. */
export function readHostProgram(parts: readonly string[] = HOST_PARTS): Promise<string> {
  const key = parts.join();
  const known = programs.get(key);
  if (known !== undefined) return known;
  const program = Promise.all(parts.map(async (name) => [name, await readFile(await pathOf(`${name}.py`), "utf8")] as const)).then((sources) =>
    hostProgram(Object.fromEntries(sources), parts),
  );
  programs.set(key, program);
  return program;
}

/** Path of the Node that the npm package for `arch` holds on this machine, or null. */
export function packagedNode(arch: "x64" | "arm64"): string | null {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`node-linux-${arch}/package.json`)), "bin", "node");
  } catch {
    return broughtNode(arch);
  }
}

/** On a seat: the one that this very controller was brought with. */
const broughtNode = (arch: string): string | null => (process.arch === arch && /\/node\/[0-9a-f]{64}\/node$/.test(process.execPath) ? process.execPath : null);
