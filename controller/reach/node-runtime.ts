/** Which Node an agent runs on: the host's own when it is fit, else one that we bring. */

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { fail, NexaError } from "../../cluster/errors.ts";
import type { HostFacts } from "../../cluster/spec.ts";
import { packagedNode } from "../assets.ts";
import { cacheDir } from "../paths.ts";
import { packBlocks, trimElf } from "./pack.ts";

/** Type stripping, WebSocket fixes and `ws` need no more; Node 22.18 is the oldest we test. */
const MIN_NODE = [22, 18] as const;
/** Official Node 24 builds link against this. */
const MIN_GLIBC = [2, 28] as const;
/** What `npm pack` of these must give, for machines whose own npm install brought another architecture. */
const PINNED: Readonly<Record<"x64" | "arm64", { readonly version: string; readonly integrity: string }>> = {
  x64: { version: "24.21.0", integrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==" },
  arm64: { version: "24.21.0", integrity: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==" },
};

/** `size` and `hash` are those of the file on the host; `packed` holds what travels, in blocks. */
export type NodeRuntime = { readonly hash: string; readonly size: number; readonly packed: string; readonly packedSize: number };

const atLeast = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [a = 0, b = 0] = version.replace(/^v/, "").split(".").map(Number);
  return a > major || (a === major && b >= minor);
};

/** null: the host's own Node will do. Errors: FOREIGN_HOST for a system that no Node of ours runs on. */
export function missingNode(host: string, facts: HostFacts): "x64" | "arm64" | null {
  if (facts.os !== "Linux") throw fail("FOREIGN_HOST", { host, why: `it runs ${facts.os}; hosts must run Linux` });
  if (facts.node !== null && atLeast(facts.node.version, MIN_NODE)) return null;
  const arch = { x86_64: "x64", aarch64: "arm64" }[facts.arch];
  if (arch !== "x64" && arch !== "arm64") throw fail("FOREIGN_HOST", { host, why: `there is no Node for ${facts.arch}` });
  if (facts.libc.kind === "musl") throw fail("FOREIGN_HOST", { host, why: "its C library is musl; install Node >= 22.18 there (apk add nodejs)" });
  if (facts.libc.kind === "glibc" && !atLeast(facts.libc.version, MIN_GLIBC)) {
    throw fail("FOREIGN_HOST", { host, why: `its glibc ${facts.libc.version} is older than 2.28, which Node needs; install a Node >= 22.18 built for it` });
  }
  return arch;
}

const made = new Map<string, Promise<NodeRuntime>>();

/** The runtime for `arch`, with a compressed copy in the cache. Errors: NODE_FETCH. */
export function nodeRuntime(arch: "x64" | "arm64"): Promise<NodeRuntime> {
  const known = made.get(arch) ?? makeRuntime(arch);
  made.set(arch, known);
  known.catch(() => made.delete(arch));
  return known;
}

async function makeRuntime(arch: "x64" | "arm64"): Promise<NodeRuntime> {
  const path = packagedNode(arch) ?? (await fetchNode(arch));
  const { size, mtimeMs } = await stat(path);
  const dir = cacheDir();
  const known = join(dir, `node-${arch}-${size}-${Math.floor(mtimeMs)}.json`);
  const before = await readKnown(known, dir);
  if (before !== null) return before;
  const data = trimElf(await readFile(path));
  const hash = createHash("sha256").update(data).digest("hex");
  const packed = packedPath(dir, hash);
  const bytes = await packBlocks(data);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await replace(packed, (to) => writeFile(to, bytes));
  const made = { hash, size: data.length, packedSize: bytes.length };
  await replace(known, (to) => writeFile(to, JSON.stringify(made)));
  return { ...made, packed };
}

const packedPath = (dir: string, hash: string): string => join(dir, `node-${hash.slice(0, 16)}.blocks`);

async function readKnown(path: string, dir: string): Promise<NodeRuntime | null> {
  try {
    const known = JSON.parse(await readFile(path, "utf8")) as Omit<NodeRuntime, "packed">;
    const packed = packedPath(dir, known.hash);
    return (await stat(packed)).size === known.packedSize ? { ...known, packed } : null;
  } catch {
    return null;
  }
}

async function replace(path: string, write: (to: string) => Promise<unknown>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await write(temporary);
  await rename(temporary, path);
}

/** Through the user's own npm and registry; the integrity is ours. */
async function fetchNode(arch: "x64" | "arm64"): Promise<string> {
  const { version, integrity } = PINNED[arch];
  const target = join(cacheDir(), `node-linux-${arch}-${version}`);
  if (await stat(target).catch(() => null)) return target;
  await mkdir(cacheDir(), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(cacheDir(), "fetch-"));
  try {
    const { stdout } = await execa("npm", ["pack", `node-linux-${arch}@${version}`, "--json", "--pack-destination", work], { cwd: work, timeout: 300_000 });
    const file = join(work, (JSON.parse(stdout) as { filename: string }[])[0]?.filename ?? "");
    const found = `sha512-${createHash("sha512")
      .update(await readFile(file))
      .digest("base64")}`;
    if (found !== integrity) throw fail("NODE_FETCH", { arch, why: "what npm gave does not have the pinned integrity" });
    await execa("tar", ["-xzf", file, "-C", work, "package/bin/node"]);
    await rename(join(work, "package", "bin", "node"), target);
    return target;
  } catch (cause) {
    if (cause instanceof NexaError) throw cause;
    throw fail("NODE_FETCH", { arch, why: cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "" }, cause);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
