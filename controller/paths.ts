/** Where the controller keeps things on its own machine. NEXADIST_STATE_DIR moves all of it. */

import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, statSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { fail } from "../cluster/errors.ts";
import { quote } from "../cluster/launch/quote.ts";

/** A unix socket's path must fit 108 bytes on Linux, 104 on macOS. */
const SOCKET_PATH = 100;
const env = (name: string): string | undefined => (process.env[name] === "" ? undefined : process.env[name]);
/** The XDG base directory specification has relative paths ignored. */
const xdg = (name: string): string | undefined => (env(name)?.startsWith("/") ? env(name) : undefined);

/** NEXADIST_STATE_DIR, absolute: a relative one starts where the command was typed. undefined: not set. */
export function ownStateDir(): string | undefined {
  const own = env("NEXADIST_STATE_DIR");
  return own === undefined ? undefined : resolve(own);
}

export const stateDir = (): string => ownStateDir() ?? join(xdg("XDG_STATE_HOME") ?? join(homedir(), ".local", "state"), "nexadist");
export const runsDir = (): string => join(stateDir(), "runs");
export const runDir = (run: string): string => join(runsDir(), run);
export const cacheDir = (): string => join(xdg("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "nexadist");
export const daemonLog = (): string => join(stateDir(), "controller.log");
export const controllerSocket = (): string => join(runtimeDir(), "controller.sock");

/** mkdir -p by hand: Node's own never returns under /proc and the like. Errors: STATE_WRITE. */
export function makeDir(path: string): void {
  if (isDir(path)) return;
  if (dirname(path) !== path) makeDir(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isDir(path)) throw fail("STATE_WRITE", { path, why: whyNot(path, error) });
  }
}

function whyNot(path: string, error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return "it is no directory";
  if (code === "ENOENT") return `nothing can be made in ${dirname(path)}`;
  return errno === undefined ? String(error) : getSystemErrorMessage(errno);
}

/** A directory of ours alone, made if need be; the mode of one that was there is its maker's to change. Errors: DIR_NOT_OURS when others could look in. */
function privateDir(path: string): string {
  makeDir(path);
  const { uid } = userInfo();
  const found = lstatSync(path);
  if (!found.isDirectory()) throw fail("DIR_NOT_OURS", { path, why: "is a link" });
  if (uid >= 0 && found.uid !== uid) throw fail("DIR_NOT_OURS", { path, why: `belongs to somebody else (uid ${found.uid})` });
  const mode = found.mode & 0o777;
  if ((mode & 0o077) !== 0) throw fail("DIR_NOT_OURS", { path, why: `is open to others (mode ${mode.toString(8)})`, fix: `chmod 700 ${quote(path)}` });
  return path;
}

export function runtimeDir(): string {
  const own = ownStateDir();
  if (own !== undefined && Buffer.byteLength(join(own, "controller.sock")) <= SOCKET_PATH) return privateDir(own);
  const run = xdg("XDG_RUNTIME_DIR");
  if (own === undefined && run !== undefined && Buffer.byteLength(join(run, "nexadist", "controller.sock")) <= SOCKET_PATH && isDir(run))
    return privateDir(join(run, "nexadist"));
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
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false; // not ours to look into; mkdir says why
  }
}
