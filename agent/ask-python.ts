/** Runs one of the Python programs of the bundle that print JSON; what it does not say in time counts as not said. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import type { AgentConfig } from "./config.ts";

const SAID_MAX = 1024 * 1024;

export type Question = { readonly program: string; readonly args: readonly string[]; readonly limitMs: number };

/** Never rejects: `otherwise` makes the answer that stands in for none. */
export function askPython<T>(config: AgentConfig, { program, args, limitMs }: Question, otherwise: (why: string) => T): Promise<T> {
  return new Promise((resolve) => {
    const { PATH, LANG } = process.env;
    const child = spawn(config.python, ["-I", "-S", join(config.bundleDir, program), ...args], {
      cwd: "/",
      env: { PATH, LANG },
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    let said = "";
    const settle = (answer: T): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL"); // with the tool that it waits for
      } catch {
        // gone by itself
      }
      settle(otherwise("reading it took too long"));
    }, limitMs);
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      if (said.length <= SAID_MAX) said += data;
    });
    child.on("error", (error) => settle(otherwise(error.message)));
    child.on("close", () => {
      try {
        settle(JSON.parse(said) as T);
      } catch {
        settle(otherwise("its reader failed"));
      }
    });
  });
}
