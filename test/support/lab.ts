/** Real hosts for a test: a lab of its own, ended with the test, whatever happens in it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const REPO = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = join(REPO, "scripts/lab");

/** For `test(name, { skip: needsRoot }, …)`. On a CI machine nothing is skipped: the lab itself then says what is missing. */
export const needsRoot: string | false = process.getuid?.() === 0 || (process.env.CI ?? "") !== "" ? false : "needs root";

export type LabOptions = {
  readonly hosts?: number;
  readonly addresses?: readonly string[];
  readonly gpus?: number;
  /** Host ("gpu-a", or "*" for all) → option → value; `scripts/lab --help` lists them. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly python?: string;
  readonly isUnprivileged?: boolean;
};

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** In a host: whose command it is; default root. */
  readonly user?: string;
};

export type Outcome = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

export type LabHost = {
  readonly name: string;
  readonly address: string;
  /** Present in an unprivileged lab: its sshd's port. */
  readonly port?: number;
  /** What it keeps over a power-off, seen from this side: etc/, homes/USER/, … */
  readonly disk: string;
  /** PID of its first process, as this machine sees it; 0 while off. */
  pid(): Promise<number>;
  /** Runs a command in it, not through ssh; resolves whatever the exit code is. */
  run(argv: readonly string[], options?: RunOptions): Promise<Outcome>;
  kill(): Promise<void>;
  boot(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  link(to: "up" | "down"): Promise<void>;
};

export type Lab = {
  readonly name: string;
  readonly dir: string;
  /** HOME of the controller, with .ssh/{config,id_ed25519,known_hosts}. */
  readonly home: string;
  readonly hosts: readonly LabHost[];
  host(name: string): LabHost;
  /** The whole argv that runs `argv` as the controller: for callers that spawn themselves. */
  argv(argv: readonly string[]): [string, ...string[]];
  /** Runs it as the controller; resolves whatever the exit code is. */
  exec(argv: readonly string[], options?: RunOptions): Promise<Outcome>;
  block(a: string, b: string, way?: "oneway"): Promise<void>;
  unblock(a: string, b: string, way?: "oneway"): Promise<void>;
  clusterYaml(): Promise<string>;
  /** Called by the test's end too; twice is fine. */
  cleanup(): Promise<void>;
};

type StateHost = { readonly name: string; readonly address: string; readonly port?: number; readonly disk: string; readonly pid: number };
type State = { readonly name: string; readonly dir: string; readonly hosts: Readonly<Record<string, StateHost>> };

let count = 0;

export async function startLab(t: TestContext, options: LabOptions = {}): Promise<Lab> {
  await sweepAbandoned();
  const name = `t-${process.pid}-${count++}`;
  t.after(() => command(["down", name]));
  const state = JSON.parse(await command(["up", "--json", "--name", name, ...flags(options)])) as State;
  const hosts = Object.values(state.hosts).map((host) => labHost(name, host));
  return {
    name,
    dir: state.dir,
    home: join(state.dir, "home"),
    hosts,
    host: (wanted) => hosts.find((host) => host.name === wanted) ?? raise(`no host ${wanted} in lab ${name}`),
    argv: (argv) => [PROGRAM, "exec", name, "--", ...argv],
    exec: (argv, run) => outcome(["exec", name, "--", ...argv], run),
    block: async (a, b, way) => void (await command(["block", name, a, b, ...(way ? [way] : [])])),
    unblock: async (a, b, way) => void (await command(["unblock", name, a, b, ...(way ? [way] : [])])),
    clusterYaml: () => command(["cluster", name]),
    cleanup: async () => void (await command(["down", name])),
  };
}

function labHost(lab: string, host: StateHost): LabHost {
  const change = async (...words: string[]) => void (await command(words));
  return {
    name: host.name,
    address: host.address,
    ...(host.port === undefined ? {} : { port: host.port }),
    disk: host.disk,
    pid: async () => Number((await command(["pid", lab, host.name])).trim()),
    run: (argv, options = {}) => outcome(["run", lab, host.name, ...(options.user ? ["--user", options.user] : []), "--", ...argv], options),
    kill: () => change("kill", lab, host.name),
    boot: () => change("boot", lab, host.name),
    freeze: () => change("freeze", lab, host.name),
    thaw: () => change("thaw", lab, host.name),
    link: (to) => change("link", lab, host.name, to),
  };
}

function flags(options: LabOptions): string[] {
  const words: string[] = [];
  if (options.hosts !== undefined) words.push("--hosts", String(options.hosts));
  if (options.addresses !== undefined) words.push("--addresses", options.addresses.join(","));
  if (options.gpus !== undefined) words.push("--gpus", String(options.gpus));
  if (options.python !== undefined) words.push("--python", options.python);
  if (options.isUnprivileged === true) words.push("--unprivileged");
  for (const [host, chosen] of Object.entries(options.options ?? {})) {
    for (const [key, value] of Object.entries(chosen)) words.push("--option", `${host}:${key}=${value}`);
  }
  return words;
}

/** A test process that was killed could not end its labs: its PID is in their names. */
async function sweepAbandoned(): Promise<void> {
  for (const line of (await command(["list"])).split("\n")) {
    const [, name, pid] = /^(t-(\d+)-\d+)\t/.exec(line) ?? [];
    if (name !== undefined && !existsSync(`/proc/${pid}`)) await command(["down", name]);
  }
}

async function command(words: readonly string[]): Promise<string> {
  const { stdout } = await execa(PROGRAM, words, { stdin: "ignore", timeout: 60_000 });
  return stdout;
}

async function outcome(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { exitCode, stdout, stderr, signal } = await execa(PROGRAM, words, {
    reject: false,
    timeout: options.timeoutMs ?? 120_000,
    ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return { exitCode: exitCode ?? (signal === undefined ? 1 : 128), stdout, stderr };
}

function raise(text: string): never {
  throw new Error(text);
}
