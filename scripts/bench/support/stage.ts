/**
 * Where the benches run: a lab of real hosts, a state directory of their own, and a copy of the build, so that a source that is
 * edited meanwhile is not built in the middle of a figure.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Lab, type LabOptions, startLab } from "../../../test/support/lab.ts";
import { log } from "./figure.ts";

export const REPO = fileURLToPath(new URL("../../..", import.meta.url));

export type Said = { readonly code: number | null; readonly text: string };
export type JournalLine = { readonly i: number; readonly event: { readonly type: string; readonly at: number } & Readonly<Record<string, unknown>> };

export type Stage = {
  readonly lab: Lab;
  /** Scratch that the lab's hosts do not see. */
  readonly dir: string;
  readonly stateDir: string;
  readonly nexadist: string;
  readonly env: Readonly<Record<string, string>>;
  readonly write: (name: string, text: string) => string;
  /** Runs argv as the controller; both streams in one text. */
  readonly run: (argv: readonly string[], onText?: (text: string) => void) => Promise<Said>;
  readonly spawn: (argv: readonly string[]) => ChildProcess;
  readonly journal: (run: string) => JournalLine[];
  readonly latest: () => string;
};

/** A build of the sources as they are now, in `to`, as npm would install it. */
export async function copyBuild(to: string): Promise<string> {
  const built = await execa(join(REPO, "scripts/nexadist"), ["version"], { reject: false });
  if (built.exitCode !== 0) log("the sources do not build: what is measured is the last build");
  mkdirSync(join(to, "scripts"), { recursive: true });
  for (const path of ["dist", "package.json", "scripts/nexadist", "scripts/fit-node.sh", "scripts/mend-tty.sh"])
    cpSync(join(REPO, path), join(to, path), { recursive: true });
  symlinkSync(join(REPO, "node_modules"), join(to, "node_modules"));
  return join(to, "scripts/nexadist");
}

export async function withStage(options: LabOptions, work: (stage: Stage) => Promise<void>): Promise<void> {
  const endings: (() => unknown)[] = [];
  const dir = mkdtempSync(join(tmpdir(), "nexadist-bench-"));
  let ending: Promise<void> | undefined;
  const endAll = async (): Promise<void> => {
    for (const one of endings) await one();
  };
  /** Once; an interrupted bench waits for the same end as its work that fails meanwhile. */
  const end = (): Promise<void> => {
    ending ??= endAll();
    return ending;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end().finally(() => process.exit(1)));
  endings.push(() => rmSync(dir, { recursive: true, force: true }));
  try {
    const nexadist = await copyBuild(join(dir, "program"));
    const lab = await startLab({ after: (fn: () => unknown) => void endings.unshift(fn) } as unknown as TestContext, options);
    const stateDir = join(dir, "state");
    const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}`, NEXADIST_STATE_DIR: stateDir, LANG: "C.UTF-8", NO_COLOR: "1" };
    endings.unshift(() => endController(nexadist));
    const workDir = join(dir, "work");
    mkdirSync(workDir);
    const start = (argv: readonly string[]): ChildProcess => {
      const [program, ...args] = lab.argv(argv);
      return spawn(program, args, { cwd: workDir, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    };
    await work({
      lab,
      dir: workDir,
      stateDir,
      nexadist,
      env,
      write: (name, text) => {
        writeFileSync(join(workDir, name), text);
        return join(workDir, name);
      },
      spawn: start,
      run: (argv, onText) => collect(start(argv), onText),
      journal: (run) =>
        readFileSync(join(stateDir, "runs", run, "journal.jsonl"), "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as JournalLine),
      latest: () => readdirSync(join(stateDir, "runs")).sort().at(-1) ?? "",
    });
  } finally {
    await end();
  }
}

export function collect(child: ChildProcess, onText: (text: string) => void = () => undefined): Promise<Said> {
  let text = "";
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
    onText(text);
  };
  child.stdout?.on("data", take);
  child.stderr?.on("data", take);
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}

/** The controller of a stage, found by the path of its program; null: none runs. */
export const controllerPid = ({ nexadist }: Pick<Stage, "nexadist">): number | null => pidOf(join(dirname(nexadist), "../dist/daemon.mjs"));

const pidOf = (program: string): number | null =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => commandOf(pid).includes(program)) ?? null;

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** User and system time of a process, in units of the clock tick, 10 ms. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function endController(nexadist: string): Promise<void> {
  const pid = controllerPid({ nexadist });
  if (pid === null) return;
  process.kill(pid, "SIGTERM");
  for (const deadline = Date.now() + 5000; commandOf(pid) !== "" && Date.now() < deadline; ) await new Promise((resolve) => setTimeout(resolve, 20));
}
