/** Where the controller keeps things on its own machine. NEXADIST_STATE_DIR moves all of it. */

import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, statSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { fail } from "../cluster/errors.ts";

/** A unix socket's path must fit 108 bytes on Linux, 104 on macOS. */
const SOCKET_PATH = 100;
const env = (name: string): string | undefined => (process.env[name] === "" ? undefined : process.env[name]);

export const stateDir = (): string => env("NEXADIST_STATE_DIR") ?? join(env("XDG_STATE_HOME") ?? join(homedir(), ".local", "state"), "nexadist");
export const runsDir = (): string => join(stateDir(), "runs");
export const runDir = (run: string): string => join(runsDir(), run);
export const cacheDir = (): string => join(env("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "nexadist");
export const daemonLog = (): string => join(stateDir(), "controller.log");
export const controllerSocket = (): string => join(runtimeDir(), "controller.sock");

/** mkdir -p by hand: Node's own never returns under /proc and the like. Errors: STATE_WRITE. */
export function makeDir(path: string): void {
  if (isDir(path)) return;
  if (dirname(path) !== path) makeDir(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isDir(path)) throw fail("STATE_WRITE", { path, why: error instanceof Error ? error.message : String(error) }, error);
  }
}

/** A directory of ours alone, made if need be. Errors: DIR_NOT_OURS when somebody else could write there. */
function privateDir(path: string): string {
  makeDir(path);
  const { uid } = userInfo();
  const found = lstatSync(path);
  if (!found.isDirectory() || (uid >= 0 && found.uid !== uid) || (found.mode & 0o077) !== 0) throw fail("DIR_NOT_OURS", { path });
  return path;
}

export function runtimeDir(): string {
  const own = env("NEXADIST_STATE_DIR");
  if (own !== undefined && Buffer.byteLength(join(own, "controller.sock")) <= SOCKET_PATH) return privateDir(own);
  const xdg = env("XDG_RUNTIME_DIR");
  if (own === undefined && xdg !== undefined && Buffer.byteLength(join(xdg, "nexadist", "controller.sock")) <= SOCKET_PATH && isDir(xdg))
    return privateDir(join(xdg, "nexadist"));
  const base = privateDir(join(process.platform === "darwin" ? "/tmp" : tmpdir(), `nexadist-${userInfo().uid}`));
  return privateDir(join(base, `c-${createHash("sha256").update(stateDir()).digest("hex").slice(0, 12)}`));
}

/** Secrets stay in memory: a tmpfs where there is one, else nowhere (null). */
export function secretsDir(): string | null {
  const shm = "/dev/shm";
  if (!isDir(shm)) return null;
  const base = privateDir(join(shm, `nexadist-${userInfo().uid}`));
  return privateDir(join(base, `c-${createHash("sha256").update(stateDir()).digest("hex").slice(0, 12)}`));
}

function isDir(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
