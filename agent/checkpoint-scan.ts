/** Tells which checkpoints lie on this host: python/checkpoints.py reads them; which attempt wrote a file is known here. */

import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import * as z from "zod";
import { attemptAt } from "../cluster/checkpoint/scan.ts";
import { fail } from "../cluster/errors.ts";
import type { Agent } from "./agent-state.ts";
import { broughtFiles } from "./checkpoint-brought.ts";
import type { Run } from "./run.ts";

/** Thousands of files on a slow file server; a hung one must not hold the run for ever. */
const LIMIT_MS = 60_000;
const SAID_MAX = 2 * 1024 * 1024;

export const checkpointRoot = (root: string): string => resolve(homedir(), root.replace(/^~(?=\/|$)/, "."));

const file = z.looseObject({ path: z.string(), mtimeMs: z.number(), id: z.string() });
const said = z.object({ candidates: z.array(z.looseObject({ name: z.string(), files: z.array(file) })), problem: z.string() });

/** Errors: CHECKPOINTS_UNREAD. */
export async function scanCheckpoints({ config }: Agent, run: Run, given: string): Promise<unknown> {
  const root = checkpointRoot(given);
  const read = said.parse(await readWith(config.python, [join(config.bundleDir, "checkpoints.py"), root], root));
  const brought = broughtFiles(run);
  const began = beganAt(run);
  const candidates = read.candidates.map((one) => ({
    ...one,
    files: one.files.map((each) => {
      const known = brought[join(root, one.name, each.path)];
      return { ...each, attempt: known?.id === each.id ? known.attempt : attemptAt(each.mtimeMs, began) };
    }),
  }));
  return { candidates, problem: read.problem };
}

/** When each attempt began on this host, by its own clock. */
function beganAt({ events }: Run): ReadonlyMap<number, number> {
  const began = new Map<number, number>();
  for (const { attempt, at } of events) began.set(attempt, Math.min(began.get(attempt) ?? at, at));
  return began;
}

function readWith(python: string, argv: readonly string[], root: string): Promise<unknown> {
  return new Promise((done, refuse) => {
    const { PATH, LANG } = process.env;
    const child = spawn(python, ["-I", "-S", ...argv], { cwd: "/", env: { PATH, LANG }, stdio: ["ignore", "pipe", "pipe"] });
    const unread = (why: string): void => refuse(fail("CHECKPOINTS_UNREAD", { path: root, why }));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      unread(`looking at them took longer than ${LIMIT_MS / 1000} s`);
    }, LIMIT_MS);
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      if (out.length <= SAID_MAX) out += data;
    });
    child.stderr.setEncoding("utf8").on("data", (data: string) => {
      err = (err + data).slice(-2000);
    });
    child.on("error", (error) => unread(error.message));
    child.on("close", () => {
      clearTimeout(timer);
      try {
        done(JSON.parse(out));
      } catch {
        unread(err.trim().split("\n").at(-1) ?? "their reader failed");
      }
    });
  });
}
