/** The controller: one per user and state directory, started by the first command that needs it, alive for as long as runs or viewers need it. */

import { rmSync, statSync, truncateSync } from "node:fs";
import { EXIT, toProblem } from "../../cluster/errors.ts";
import { readManifest } from "../assets.ts";
import { controllerSocket, daemonLog, makeDir, stateDir } from "../paths.ts";
import { becomeOnly, listen } from "./only-one.ts";
import { openRuns } from "./runs.ts";
import { serveViewers } from "./viewers.ts";

/** Without runs and viewers the controller leaves after this long; the next command starts it again. */
const IDLE_MS = 30 * 60_000;
const LOG_BYTES = 16 * 1024 * 1024;

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
makeDir(stateDir());
trimLog(daemonLog());
const controller = await becomeOnly(socket).catch((error: unknown) => {
  console.error(toProblem(error).message, "\n  try:", toProblem(error).hint);
  process.exit(EXIT.controllerLost);
});
if (controller === null) process.exit(0); // another one won the race and serves

const startedAt = Date.now();
const { version, build } = await readManifest();
const runs = openRuns(controller);
const quit = (): void => {
  runs.close();
  rmSync(socket, { force: true });
  process.exit(0);
};
const server = serveViewers(runs, { version, build, startedAt, quit });
rmSync(socket, { force: true });
await listen(server, socket);
serves = true;
runs.resume();
process.on("SIGTERM", quit);
process.on("SIGINT", quit);

/** The log of one that lived long; the file is open for append, so it goes on at its new end. */
function trimLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) truncateSync(path);
}

let viewers = 0;
let idleSince = Date.now();
server.on("connection", (viewer) => {
  viewers += 1;
  viewer.on("close", () => (viewers -= 1));
});
setInterval(() => {
  if (viewers > 0 || runs.isBusy()) idleSince = Date.now();
  else if (Date.now() - idleSince > IDLE_MS) quit();
}, 10_000);
