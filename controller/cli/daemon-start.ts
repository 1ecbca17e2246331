/** Finds this user's controller, or starts it: detached, its output on a log file, so that it outlives the terminal. */

import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, statSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail, NexaError } from "../../cluster/errors.ts";
import { sanitise } from "../../cluster/sanitise.ts";
import { VIEWER_PROTOCOL } from "../../cluster/viewer.ts";
import { distDir, readManifest } from "../assets.ts";
import { controllerSocket, daemonLog, makeDir, ownStateDir, stateDir } from "../paths.ts";
import { type Client, openClient } from "./client.ts";
import { ping } from "./ping.ts";
import { version } from "./version.ts";

const START_MS = 10_000;
/** Between tries while it starts; a change in the socket's directory is seen at once. */
const TRY_MS = 50;
/** The kernel closes the descriptors of a killed controller one by one: its socket may take a connection after the others are gone. */
const DYING_MAX = 20;

/** Sockets where this command had a controller: one of another build that is there later is newer than this command. */
const had = new Set<string>();

/** Errors: CONTROLLER_START, CONTROLLER_VERSION, CONTROLLER_LOST, CONTROLLER_SILENT. */
export function findOrStartDaemon(): Promise<Client> {
  return pastTheDying(async () => {
    const socket = controllerSocket();
    const running = await tryOpen(socket);
    const client = running === null ? await startDaemon(socket) : had.has(socket) ? running : await replaceOther(running, socket);
    await checkVersion(client);
    had.add(socket);
    return client;
  });
}

/** The controller if it runs; it is not started. null: none runs. */
export function findDaemon(): Promise<Client | null> {
  return pastTheDying(async () => {
    const client = await tryOpen(controllerSocket());
    if (client !== null) await checkVersion(client);
    return client;
  });
}

async function pastTheDying<T>(find: () => Promise<T>): Promise<T> {
  for (let left = DYING_MAX; ; left--) {
    try {
      return await find();
    } catch (error) {
      if (!(error instanceof NexaError) || error.code !== "CONTROLLER_LOST" || left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    }
  }
}

/** A controller of another build than this command leaves for one of this build: runs do not mind, they are resumed from their journals. */
async function replaceOther(client: Client, socket: string): Promise<Client> {
  const pong = await ping(client);
  if (pong.protocol !== VIEWER_PROTOCOL || pong.build === undefined || pong.build === (await readManifest()).build) return client;
  await client.ask({ ask: "quit" }).catch(() => undefined);
  client.close();
  for (const deadline = Date.now() + START_MS; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, TRY_MS))) {
    const other = await tryOpen(socket);
    if (other === null) break;
    other.close();
  }
  return startDaemon(socket);
}

async function checkVersion(client: Client): Promise<void> {
  const pong = await ping(client);
  if (pong.protocol === VIEWER_PROTOCOL) return;
  client.close();
  throw fail("CONTROLLER_VERSION", { there: pong.version, here: version(), pid: pong.pid });
}

/** null: nobody listens there. */
async function tryOpen(socket: string): Promise<Client | null> {
  try {
    return await openClient(socket);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED") return null;
    throw fail("CONTROLLER_START", { why: `its socket ${socket} cannot be opened (${code ?? String(error)})`, log: daemonLog() }, error);
  }
}

function program(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const source = join(here, "..", "daemon", "main.ts");
  return import.meta.url.endsWith(".ts") && existsSync(source) ? source : join(distDir, "daemon.mjs");
}

async function startDaemon(socket: string): Promise<Client> {
  makeDir(stateDir());
  const log = daemonLog();
  const from = existsSync(log) ? statSync(log).size : 0;
  const fd = openLog(log);
  const own = ownStateDir(); // absolute: it starts elsewhere
  const env = { ...process.env, ...(own === undefined ? {} : { NEXADIST_STATE_DIR: own }) };
  const child = spawn(process.execPath, [program()], { detached: true, stdio: ["ignore", fd, fd], cwd: "/", env });
  const failed = (why: string): Error => fail("CONTROLLER_START", { why: `${why}${logTail(log, from)}`, log });
  let ended: string | null = null;
  let wake: () => void = () => undefined;
  child.once("error", (error) => {
    ended = error.message;
    wake();
  });
  child.once("exit", (code, signal) => {
    // Exit 0: another command's controller came first; its socket is about to answer.
    if (code !== 0) ended = `it ended at once (${signal ?? `exit ${code}`})`;
    wake();
  });
  const watcher = watch(dirname(socket), () => wake());
  watcher.on("error", () => undefined);
  try {
    const deadline = Date.now() + START_MS;
    while (Date.now() < deadline) {
      const wasEnded: string | null = ended;
      const client = await tryOpen(socket); // also one that another command started meanwhile
      if (client !== null) {
        const { pid } = await ping(client);
        if (pid !== child.pid) child.kill(); // another one came first: ours must not wait for its place
        child.unref();
        return client;
      }
      if (wasEnded !== null) throw failed(wasEnded);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, TRY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    child.kill(); // ours, and of no use to anybody
    throw failed(`it was not ready within ${START_MS / 1000} s`);
  } finally {
    watcher.close();
  }
}

/** The first file that is written in the state directory. Errors: STATE_WRITE. */
function openLog(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw fail("STATE_WRITE", { path: dirname(path), why: error instanceof Error ? error.message : String(error) }, error);
  }
}

/** The last lines that this start has written. */
function logTail(log: string, from: number): string {
  try {
    const lines = sanitise(readFileSync(log).subarray(from).toString("utf8")).trim().split("\n");
    return lines.join("") === "" ? "" : `; its log ends:\n${lines.slice(-8).join("\n")}`;
  } catch {
    return "";
  }
}
