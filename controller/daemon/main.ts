/** The controller: one per user and state directory, started by the first command that needs it, alive for as long as runs or viewers need it. */

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { readManifest } from "../assets.ts";
import { controllerSocket, stateDir } from "../paths.ts";
import { openRuns } from "./runs.ts";
import { serveViewers } from "./viewers.ts";

/** Without runs and viewers the controller leaves after this long; the next command starts it again. */
const IDLE_MS = 30 * 60_000;

process.umask(0o077);
process.on("SIGHUP", () => undefined); // the terminal that started it has closed
let serves = false;
process.on("uncaughtException", (error) => {
  console.error("uncaught", error);
  if (!serves) process.exit(70); // afterwards one run's bug must not end the others
});
process.on("unhandledRejection", (error) => {
  throw error;
});

const socket = controllerSocket();
mkdirSync(stateDir(), { recursive: true, mode: 0o700 });
if (!(await becomeOnly())) process.exit(0); // another one won the race and serves

const startedAt = Date.now();
const { version } = await readManifest();
const runs = openRuns(controllerId());
const quit = (): void => {
  runs.close();
  rmSync(socket, { force: true });
  process.exit(0);
};
const server = serveViewers(runs, { version, startedAt, quit });
rmSync(socket, { force: true });
await listen(server, socket);
serves = true;
runs.resume();
process.on("SIGTERM", quit);
process.on("SIGINT", quit);

let viewers = 0;
let idleSince = Date.now();
server.on("connection", (viewer) => {
  viewers += 1;
  viewer.on("close", () => (viewers -= 1));
});
setInterval(() => {
  if (viewers > 0 || runs.live.size > 0) idleSince = Date.now();
  else if (Date.now() - idleSince > IDLE_MS) quit();
}, 10_000);

/** The kernel's own lock: a name in the abstract socket space of Linux, or a second socket elsewhere; gone with the process. */
async function becomeOnly(): Promise<boolean> {
  if (process.platform !== "linux") return !(await answers(socket));
  const { dev, ino } = (await import("node:fs")).statSync(stateDir());
  const lock = createServer().unref();
  return listen(lock, `\0nexadist-${process.getuid?.() ?? 0}-${dev}-${ino}`).then(
    () => true,
    () => false,
  );
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}

function listen(on: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    on.once("error", reject);
    on.listen(path, () => resolve());
  });
}

/** Who this controller is to agents: kept with its state. */
function controllerId(): string {
  const path = join(stateDir(), "controller.id");
  try {
    const id = readFileSync(path, "utf8").trim();
    if (/^[0-9a-f]{16}$/.test(id)) return id;
  } catch {
    // first start
  }
  const id = randomBytes(8).toString("hex");
  writeFileSync(path, `${id}\n`, { mode: 0o600 });
  return id;
}
