/** Asks the job's Python which modules it lacks; imports none of them, for torch alone takes seconds. */

import { spawn } from "node:child_process";
import type { Environment } from "./secret-files.ts";

/** On a cold network file system a Python takes its time; an answer that never comes must not keep a run from its start. */
const LIMIT_MS = 20_000;
const OUTPUT_MAX = 10_000;
const ASK = 'import sys\nfrom importlib.util import find_spec\nprint("\\n@" + " ".join(name for name in sys.argv[1:] if find_spec(name) is None))';

/** null: it did not say (does not start, fails, takes too long). `cwd`: a rank may also import what lies there. */
export function modulesLacking(
  python: string,
  names: readonly string[],
  environment: Environment,
  cwd: string,
  stopped: AbortSignal,
): Promise<string[] | null> {
  return new Promise((resolve) => {
    const child = spawn(python, ["-c", ASK, ...names], { cwd, env: environment, stdio: ["ignore", "pipe", "ignore"], detached: true });
    let said = "";
    const end = (answer: string[] | null): void => {
      clearTimeout(timer);
      stopped.removeEventListener("abort", giveUp);
      child.stdout.destroy();
      resolve(answer);
    };
    const giveUp = (): void => {
      try {
        // A wrapper of the name python may have started others.
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It ended at this very moment.
      }
      end(null);
    };
    const timer = setTimeout(giveUp, LIMIT_MS);
    stopped.addEventListener("abort", giveUp, { once: true });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-OUTPUT_MAX);
    });
    child.on("error", () => end(null));
    child.on("close", (code) => end(code === 0 ? answerIn(said, names) : null));
  });
}

/** Behind whatever a wrapper or a sitecustomize prints. */
function answerIn(said: string, names: readonly string[]): string[] | null {
  const line = said.split("\n").findLast((each) => each.startsWith("@"));
  return line === undefined ? null : names.filter((name) => line.slice(1).split(" ").includes(name));
}
