/** Tells what the host knows of the end of an attempt: python/evidence.py reads it, for it has what Node lacks; its word is passed on. */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { HostEvidence } from "../cluster/host-evidence.ts";
import type { Agent } from "./agent-state.ts";
import { checkpointRoot } from "./checkpoint-scan.ts";
import { isStream } from "./log-streams.ts";
import { oomKills } from "./oom-kills.ts";
import { attemptDir, type Run } from "./run.ts";

/** The controller waits no longer than that. */
const LIMIT_MS = 2500;
const SAID_MAX = 1024 * 1024;

type Read = Omit<HostEvidence, "oomKills" | "sizes">;

const nothing = (why: string): Read => ({ now: Date.now(), errors: [], kernel: [], kernelWhy: why, fullDisks: [] });

/** Never rejects: what cannot be read is empty, with the reason. */
export async function evidence(agent: Agent, run: Run, attempt: number): Promise<HostEvidence> {
  const since = run.events.find((event) => event.attempt === attempt)?.at ?? Date.now();
  const read = await runReader(agent, attemptDir(run, attempt), since, checkpointsOf(run));
  return { ...read, now: Date.now(), oomKills: oomKills(run, attempt), sizes: sizesOf(attemptDir(run, attempt), attempt) };
}

/** The spec is the controller's: an agent takes nothing in it for granted. */
function checkpointsOf({ record }: Run): string | undefined {
  const { paths } = (record?.spec ?? {}) as { readonly paths?: { readonly checkpoints?: unknown } | null };
  return typeof paths?.checkpoints === "string" ? paths.checkpoints : undefined;
}

function sizesOf(dir: string, attempt: number): Record<string, number> {
  const names = existsSync(dir) ? readdirSync(dir).filter(isStream) : [];
  return Object.fromEntries(names.map((name) => [`a${attempt}/${name}`, statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0]));
}

function runReader({ config }: Agent, dir: string, since: number, checkpoints: string | undefined): Promise<Read> {
  return new Promise((resolve) => {
    const { PATH, LANG } = process.env;
    const child = spawn(
      config.python,
      ["-I", "-S", join(config.bundleDir, "evidence.py"), dir, String(Math.trunc(since)), ...(checkpoints === undefined ? [] : [checkpointRoot(checkpoints)])],
      {
        cwd: "/",
        env: { PATH, LANG },
        stdio: ["ignore", "pipe", "ignore"],
        detached: true,
      },
    );
    let said = "";
    const settle = (read: Read): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      resolve(read);
    };
    const timer = setTimeout(() => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL"); // with the dmesg that it waits for
      } catch {
        // gone by itself
      }
      settle(nothing("reading it took too long"));
    }, LIMIT_MS);
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      if (said.length <= SAID_MAX) said += data;
    });
    child.on("error", (error) => settle(nothing(error.message)));
    child.on("close", () => {
      try {
        settle(JSON.parse(said) as Read);
      } catch {
        settle(nothing("its reader failed"));
      }
    });
  });
}
