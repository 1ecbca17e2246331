/** A controller that is killed at a chosen place of a run's journal, on local hosts of its own, and what is left of the run afterwards. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DETECTION, RECOVERY } from "../../cluster/config/recovery.ts";
import { replay } from "../../cluster/run/reduce.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { type Client, openClient } from "../../controller/cli/client.ts";
import { type JournalLine, readLines } from "../../controller/daemon/journal.ts";
import { ENTRY, type Said } from "./cli.ts";
import { askHost } from "./host-helper.ts";

export const DAEMON = fileURLToPath(new URL("../../controller/daemon/main.ts", import.meta.url));
const DEADLINE_MS = 60_000;

/**
 * Loaded into the controller before its program. DIE_AFTER=N: dead as soon as N lines are durable, before anything is done on them.
 * DIE_BEFORE=N: dead when a line after the first N is about to be written, so what it tells has happened and nobody knows.
 * DIE_ON=TYPE: dead as soon as an event of that type is durable.
 */
const PRELOAD = `import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const { DIE_AFTER, DIE_BEFORE, DIE_ON } = process.env;
const isJournal = (fd) => fs.readlinkSync("/proc/self/fd/" + fd).endsWith("/journal.jsonl");
const text = (fd) => fs.readFileSync(fs.readlinkSync("/proc/self/fd/" + fd), "utf8");
const lines = (text) => text.split("\\n").length - 1;
const die = () => { process.kill(process.pid, "SIGKILL"); for (;;); };
const { fsyncSync, writeSync } = fs;
fs.writeSync = (fd, bytes, ...rest) => {
  if (DIE_BEFORE !== undefined && isJournal(fd) && lines(text(fd)) + lines(String(bytes)) > Number(DIE_BEFORE)) die();
  return writeSync(fd, bytes, ...rest);
};
fs.fsyncSync = (fd) => {
  fsyncSync(fd);
  if (!isJournal(fd)) return;
  if (DIE_AFTER !== undefined && lines(text(fd)) >= Number(DIE_AFTER)) die();
  if (DIE_ON !== undefined && text(fd).includes('"type":"' + DIE_ON + '"')) die();
};
syncBuiltinESMExports();
`;

export type Death = { readonly DIE_AFTER?: string; readonly DIE_BEFORE?: string; readonly DIE_ON?: string };

export type Ground = {
  readonly dir: string;
  readonly home: string;
  readonly stateDir: string;
  readonly hosts: readonly [string, string];
  readonly env: Readonly<Record<string, string>>;
  /** A controller of this ground; it may be told where to die. */
  readonly startController: (death?: Death) => Promise<ChildProcess>;
  /** Talks to the controller that runs. */
  readonly talk: () => Promise<Client>;
  readonly nexadist: (...args: string[]) => Promise<Said>;
  readonly journal: (run: string) => JournalLine[];
};

/** Each with hosts and a controller of its own. Ends everything of them after the test: controllers, agents, shims, ranks, directories. */
export function openGrounds(t: Pick<TestContext, "after">, count: number): Ground[] {
  const opened = Array.from({ length: count }, openGround);
  t.after(async () => {
    const ends = await Promise.allSettled(opened.map(({ end }) => end()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  });
  return opened.map(({ ground }) => ground);
}

function openGround(): { readonly ground: Ground; readonly end: () => Promise<void> } {
  const dir = mkdtempSync(join(tmpdir(), "nexa-mortal-"));
  const [home, stateDir] = [join(dir, "home"), join(dir, "state")];
  mkdirSync(home);
  mkdirSync(stateDir, { mode: 0o700 });
  writeFileSync(join(dir, "mortal.mjs"), PRELOAD);
  // A python3 behind a version manager's shim would cost each look at a host half a second.
  const env = { PATH: `/usr/local/bin:/usr/bin:/bin:${process.env.PATH ?? ""}`, HOME: home, LANG: "C.UTF-8" };
  const own = { ...env, NEXADIST_STATE_DIR: stateDir, XDG_CACHE_HOME: join(dir, "cache") };
  const socket = join(stateDir, "controller.sock");
  const talk = (): Promise<Client> => openClient(socket);
  const end = async (): Promise<void> => {
    try {
      const client = await talk().catch(() => null);
      await client?.ask({ ask: "quit" }).catch(() => undefined);
      client?.close();
      const gone = await askHost({ op: "uninstall", stateDir: join(home, ".local/state/nexadist"), force: true, purge: true }, { env });
      if (!gone.ok) throw new Error(`its agents could not be removed: ${gone.text}`);
    } finally {
      endAllOf(dir);
      rmSync(dir, { recursive: true, force: true });
    }
  };
  const ground = openAt(dir, home, stateDir, env, own, talk);
  return { ground, end };
}

/** Whatever a failed test left: processes whose arguments or environment name its directory. */
function endAllOf(dir: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      if (["cmdline", "environ"].some((name) => readFileSync(`/proc/${pid}/${name}`).includes(dir))) process.kill(Number(pid), "SIGKILL");
    } catch {
      // it has ended, or is not ours to look at
    }
  }
}

function openAt(
  dir: string,
  home: string,
  stateDir: string,
  env: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
  talk: () => Promise<Client>,
): Ground {
  return {
    dir,
    home,
    stateDir,
    hosts: [`a-${randomBytes(4).toString("hex")}`, `b-${randomBytes(4).toString("hex")}`],
    env,
    talk,
    startController: async (death = {}) => {
      const child = spawn(process.execPath, ["--import", join(dir, "mortal.mjs"), DAEMON], { env: { ...own, ...death }, stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      await until("a controller that answers", async () => {
        if (child.exitCode !== null) throw new Error(`the controller ended with ${child.exitCode}: ${said}`);
        const client = await talk().catch(() => null);
        client?.close();
        return client !== null;
      });
      return child;
    },
    nexadist: (...args) => runCli(dir, args, own),
    journal: (run) => readLines(readFileSync(join(stateDir, "runs", run, "journal.jsonl"))).lines,
  };
}

function runCli(cwd: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Said> {
  const child = spawn(process.execPath, [ENTRY, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const late = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return new Promise((resolve) =>
    child.once("close", (code, signal) => {
      clearTimeout(late);
      resolve({ code, signal, out, err });
    }),
  );
}

export const CANARY = "canary-5f0e2d91";

/** Its rank keeps a copy of all it says and a list of its launches in its home; the loop is there for as long as `while` holds. */
export const job = (loop: string): readonly string[] => [
  "sh",
  "-c",
  `echo $$ >> $HOME/launched.$RUN_NAME.$RANK; say() { echo "$1" | tee -a $HOME/said.$RUN_NAME.$RANK; }; say "key \${#KEY}"; k=0; while ${loop}; do say "line $k of $$"; k=$((k+1)); sleep 0.05; done`,
];

export const specOf = (ground: Ground, run: string, argv: readonly string[]): RunSpec => ({
  schema: 1,
  run,
  name: run,
  file: null,
  hosts: ground.hosts.map((name) => ({ name, transport: "local", address: "127.0.0.1", env: {}, gpus: { kind: "none", slots: 1 } })),
  minHosts: 2,
  launcher: "command",
  per: "gpu",
  rdzv: null,
  rdzvPorts: null,
  job: { kind: "command", argv },
  accelerateConfig: null,
  env: { RUN_NAME: run },
  secretNames: { "*": ["KEY"] },
  timeouts: { connectMs: 30_000, startMs: 60_000, stopGraceMs: 5_000, runMs: null, ...DETECTION },
  ...RECOVERY,
  logs: { quotaBytes: 1e8 },
  paths: {},
  tags: [],
  code: { kind: "none" },
});

/** Asks for the run; the controller may die before it answers. */
export async function ask(ground: Ground, spec: RunSpec): Promise<void> {
  const client = await ground.talk();
  const lent = { env: ground.env, agentSocket: null, acceptNewHostKeys: false };
  await client.ask({ ask: "up", spec, secrets: { "*": { KEY: CANARY } }, lent, by: "test" }).catch(() => undefined);
  client.close();
}

export const stateOf = (ground: Ground, run: string): RunState => replay(ground.journal(run).map((line) => line.event));

export const died = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const late = AbortSignal.timeout(DEADLINE_MS);
  await once(child, "exit", { signal: late });
};

/** A zombie is not alive any more. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`${what}: did not come about`);
    await delay(10);
  }
}

/** Files below `dir` that hold the text, of those that can be read. */
export function holding(dir: string, text: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      try {
        return readFileSync(path).includes(text);
      } catch {
        return false;
      }
    });
}
