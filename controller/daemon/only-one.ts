/** One controller for one state directory: the kernel's lock on this machine, a sign of life on disk towards others that share the directory. */

import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import { stateDir } from "../paths.ts";

/** How often the sign of life is renewed, and when it is stale. */
const SIGN_MS = 20_000;
const STALE_MS = 60_000;
/** A controller that has the lock serves within this. */
const SERVES_MS = 15_000;

/**
 * The id of this controller when it may serve; null when another one on this machine does. Errors: CONTROLLER_ELSEWHERE.
 * Another machine is another controller with an id of its own: agents then fence the one that was there before.
 */
export async function becomeOnly(socket: string): Promise<string | null> {
  if (!(await lock(socket))) return null;
  const machine = machineName();
  const { machine: there, at } = read("controller.alive");
  const agoMs = typeof at === "number" ? Math.abs(Date.now() - at) : STALE_MS;
  if (typeof there === "string" && there !== machine && agoMs < STALE_MS) {
    const [ago, left] = [agoMs, STALE_MS - agoMs].map((ms) => Math.ceil(ms / 1000));
    throw fail("CONTROLLER_ELSEWHERE", { there: there.split("/")[0], path: stateDir(), ago, left });
  }
  const live = (): void => write("controller.alive", { machine, at: Date.now(), pid: process.pid });
  live();
  setInterval(live, SIGN_MS).unref();
  process.once("exit", leave); // one that ends in order keeps nobody waiting until its sign is stale
  const kept = read("controller.id");
  if (kept.machine === machine && typeof kept.id === "string" && /^[0-9a-f]{16}$/.test(kept.id)) return kept.id;
  const id = randomBytes(8).toString("hex");
  write("controller.id", { machine, id });
  return id;
}

function leave(): void {
  if (read("controller.alive").pid === process.pid) rmSync(join(stateDir(), "controller.alive"), { force: true });
}

/** Host name and network namespace: abstract sockets reach no further. */
function machineName(): string {
  try {
    return `${hostname()}/${readlinkSync("/proc/self/ns/net")}`;
  } catch {
    return hostname(); // not Linux
  }
}

/** A name in the abstract socket space of Linux is gone with the process; elsewhere a second socket answers or not. */
async function lock(socket: string): Promise<boolean> {
  if (process.platform !== "linux") return !(await answers(socket));
  for (const deadline = Date.now() + SERVES_MS; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const isBound = await bind(lockName());
    if (await answers(socket)) return false; // also with the name bound: the file that holds the name may have been damaged
    if (isBound) return true;
    if (Date.now() > deadline) write("controller.lock", { name: randomBytes(16).toString("hex") }); // a stranger holds the name: it can be read in /proc/net/unix
  }
}

function lockName(): string {
  const { dev, ino } = statSync(stateDir());
  const { name } = read("controller.lock");
  return `\0nexadist-${dev}-${ino}-${typeof name === "string" ? name.slice(0, 32) : ""}`;
}

const bind = (name: string): Promise<boolean> =>
  listen(createServer().unref(), name).then(
    () => true,
    () => false,
  );

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}

export function listen(on: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    on.once("error", reject);
    on.listen(path, () => resolve());
  });
}

/** Nothing: it is not there yet, or cannot be read. A new id fences the old one, and no sign of life is a stale one: neither is needed. */
function read(name: string): Readonly<Record<string, unknown>> {
  try {
    const found: unknown = JSON.parse(readFileSync(join(stateDir(), name), "utf8"));
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function write(name: string, value: unknown): void {
  const path = join(stateDir(), name);
  try {
    writeFileSync(`${path}.tmp`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  } catch (error) {
    console.error(`${path}: ${error instanceof Error ? error.message : String(error)}`); // a full disk must not end the runs
  }
}
