/** The first question to a controller. One that takes connections and does not answer is frozen or busy: that is said soon, and given up in the end. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import type { Pong } from "../../cluster/viewer.ts";
import { daemonLog, stateDir } from "../paths.ts";
import type { Client } from "./client.ts";

const SAID_MS = 3000;
/** It answers nothing until it is continued. */
const STOPPED_MS = 10_000;
/** A machine that is very busy, a disk that hangs. */
const BUSY_MS = 30_000;
/** Counted rather than looked up: a command that was itself stopped meanwhile has waited for nothing. */
const TICK_MS = 500;

/** Errors: CONTROLLER_SILENT, CONTROLLER_LOST. */
export async function ping(client: Client): Promise<Pong> {
  let waitedMs = 0;
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      waitedMs += TICK_MS;
      if (waitedMs === SAID_MS) process.stderr.write(`the controller${pidWords(controllerPid())} does not answer; waiting for it\n`);
      if (waitedMs < STOPPED_MS) return;
      const pid = controllerPid();
      const isStopped = pid !== null && /^[Tt]/.test(processOf(pid).state);
      if (isStopped || waitedMs >= BUSY_MS) reject(fail("CONTROLLER_SILENT", { pid: pid ?? undefined, isStopped, log: daemonLog() }));
    }, TICK_MS);
  });
  try {
    return await Promise.race([client.ask({ ask: "ping" }) as Promise<Pong>, silent]);
  } catch (error) {
    client.close();
    throw error;
  } finally {
    clearInterval(timer);
  }
}

const pidWords = (pid: number | null): string => (pid === null ? "" : ` (pid ${pid})`);

/** As it wrote it down; null: not known, or that process is another one by now. */
function controllerPid(): number | null {
  try {
    const { pid } = JSON.parse(readFileSync(join(stateDir(), "controller.alive"), "utf8")) as { readonly pid?: unknown };
    return typeof pid === "number" && /daemon/.test(processOf(pid).args) ? pid : null;
  } catch {
    return null;
  }
}

/** Both empty where the system does not say. */
function processOf(pid: number): { readonly state: string; readonly args: string } {
  try {
    if (process.platform !== "linux") {
      const [state = "", ...args] = execFileSync("ps", ["-o", "stat=,command=", "-p", `${pid}`], { encoding: "utf8" })
        .trim()
        .split(/\s+/);
      return { state, args: args.join(" ") };
    }
    const [stat, args] = ["stat", "cmdline"].map((name) => readFileSync(`/proc/${pid}/${name}`, "utf8"));
    return { state: /^\d+ \(.*\) (.)/s.exec(stat ?? "")?.[1] ?? "", args: args ?? "" };
  } catch {
    return { state: "", args: "" };
  }
}
