/** The user's program as a rank runs it, with and without our prologue. */

import { fail } from "../errors.ts";
import type { HostFacts, HostSpec, Job, Launcher, RunSpec } from "../spec.ts";
import { type ArgvPart, option, wordsOf } from "./argv.ts";
import { quote, type ShellText } from "./quote.ts";
import { resumeArgs } from "./resume.ts";
import type { LaunchContext, PlanHost } from "./types.ts";

/** True where ranks are children of the launcher, so that our prologue must run in them. */
export const startsThroughPrologue = (launcher: Launcher): boolean => launcher !== "direct" && launcher !== "command";

/** Where a dry run cannot know our directory on a host, the person who pastes names it. */
function ownProgram(c: LaunchContext, name: string): string | ShellText {
  return c.at.dirs.bundle === null ? { shell: `"$NEXADIST_BUNDLE"/${name}.py` } : `${c.at.dirs.bundle}/${name}.py`;
}

/** argv of one rank. */
export function programArgv(c: LaunchContext): ArgvPart[] {
  const { job } = c.input.spec;
  const python = option(`${whyPython(c)}; -u: a line is in the log when it is printed`, c.python, "-u");
  return job.kind === "command" ? programOptions(c, { noPython: null, module: "-m" }) : [python, ...programOptions(c, { noPython: null, module: "-m" })];
}

/** Where the python of the ranks comes from. */
export function whyPython({ at }: LaunchContext): string {
  if (at.host.python !== undefined) return "`python` of the file";
  if (at.python !== null) return "the python of the prepared host";
  if (at.host.setup !== undefined) return "whichever the PATH has after `setup`, as `up` takes it";
  return at.facts?.python ? "the python that was found there" : "not asked: whichever the shell finds there";
}

/** The program as torchrun's and accelerate's own command lines name it; `noPython` and `module` are their spellings of the two options. */
export function programOptions(c: LaunchContext, options: { readonly noPython: string | null; readonly module: string }): ArgvPart[] {
  const { job } = c.input.spec;
  const args = [...(job.kind === "command" || job.args.length === 0 ? [] : [option("the job's own arguments", ...job.args)]), ...resumeArgs(c)];
  switch (job.kind) {
    case "smoke":
      return [option("the bundled smoke trainer: no job is named", ownProgram(c, job.program ?? "smoke_train")), ...args];
    case "script":
      return [option("the job's script", job.script), ...args];
    case "module":
      return [option("the job's module", options.module, job.module), ...args];
    case "command":
      return [
        ...(options.noPython === null ? [] : [option("the job is a command, not a Python script", options.noPython)]),
        option("the job's command", ...job.argv),
        ...args,
      ];
  }
}

/** The prologue and behind it the program; the prologue needs no torch, so any python does: the one of our helper where known. */
export function withPrologue(c: LaunchContext): string[] {
  const interpreter = c.at.facts?.helperPython.path ?? c.python;
  return inFull([interpreter, "-I", "-S", `${c.at.dirs.bundle}/prologue.py`, "--", ...wordsOf(programArgv(c))]);
}

/** Real runs know every path; only dry runs leave something to the shell. */
export const inFull = (argv: readonly (string | ShellText)[]): string[] => argv.map((word) => (typeof word === "string" ? word : word.shell));

/** What the launcher imports from the python of the ranks. */
function modulesOf({ launcher, job }: RunSpec): readonly ("torch" | "accelerate")[] {
  const torch = startsThroughPrologue(launcher) || job.kind === "smoke" ? (["torch"] as const) : [];
  return launcher === "accelerate" ? [...torch, "accelerate"] : torch;
}

/** What only the prepared host can tell: what the look did not find, and all of it where `setup` may choose another python. */
export function modulesToAsk(spec: RunSpec, host: HostSpec, facts: HostFacts): string[] {
  return modulesOf(spec).filter((name) => host.setup !== undefined || typeof facts.python?.[name] !== "string");
}

/** Refuses a python that is known to lack what the launcher imports: the first hour's commonest error, said before anything is started. */
export function refuseMissing(at: PlanHost, spec: RunSpec): void {
  const named = [spec.env, at.host.env].flatMap((env) => Object.keys(env));
  const python = at.python ?? at.facts?.python?.path;
  if (python === undefined || named.includes("PYTHONPATH")) return; // the file's environment is not there yet when the python is asked
  const module = modulesOf(spec).find((name) => at.lacks?.includes(name) ?? isAbsentIn(at, name));
  if (module === undefined) return;
  const whence = at.host.setup !== undefined && at.host.python === undefined ? "first on the PATH that a login shell and `setup` leave," : "";
  throw fail("MODULE_MISSING", { host: at.host.name, python, module, whence });
}

/** By the look at the host, which sees nothing of what `setup` or a PYTHONPATH of the session brings. */
function isAbsentIn(at: PlanHost, name: "torch" | "accelerate"): boolean {
  return at.host.setup === undefined && isPythonOfLook(at) && !at.sessionNames?.includes("PYTHONPATH") && at.facts?.python?.[name] === null;
}

/** The python that the look at the host found is the one that ranks get: `setup` puts no other in front of it. */
function isPythonOfLook({ host, facts, python }: PlanHost): boolean {
  if (!facts?.python) return false;
  return python === null ? host.setup === undefined || host.python !== undefined : python === facts.python.path;
}

/** Version of the torch that ranks get; null: none, or not known. */
export const torchOf = (at: PlanHost): string | null => (isPythonOfLook(at) ? (at.facts?.python?.torch ?? null) : null);

/** What the agent's findPython does once `setup` has run. */
const FIRST_ON_PATH = '"$(command -v python || command -v python3)"';

/** The python of the ranks. A job that is a command under `direct` or `command` needs none. */
export function pythonOf(at: LaunchContext["at"], job: Job, needsPython: boolean): string | ShellText {
  const known = at.python ?? at.facts?.python?.path;
  // A dry run does not run `setup`, which often chooses the python.
  if (at.dirs.bundle === null && at.host.setup !== undefined && at.host.python === undefined) return { shell: FIRST_ON_PATH };
  if (known !== undefined) return known;
  if (at.facts === null) return guessedPython(at.host.python);
  if (!needsPython && job.kind === "command") return at.facts.helperPython.path;
  throw fail("PYTHON_MISSING", { host: at.host.name, why: at.facts.pythonProblem || "no python found" });
}

/** `python` of the file may be an environment's directory, and starts at the home there; a look at the host would tell. */
function guessedPython(named: string | undefined): string | ShellText {
  if (named === undefined) return "python";
  const program = /(^|\/)python[\d.]*$/.test(named) ? named : `${named.replace(/\/$/, "")}/bin/python`;
  if (program.startsWith("/") || !program.includes("/")) return program;
  return { shell: `"$HOME"/${quote(program.replace(/^~\//, ""))}` };
}
