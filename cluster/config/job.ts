/** What runs, and which code must reach the hosts for it. */

import { quoteAll } from "../launch/quote.ts";
import type { Job, Launcher, RunSpec } from "../spec.ts";
import { accelerateProblems } from "./accelerate-keys.ts";
import { jobFromArgv } from "./command-line.ts";
import { inside, isAbsolute, resolvePath } from "./controller-paths.ts";
import type { Files } from "./files.ts";
import { type Positions, problemIn } from "./located.ts";
import { refusePastedLauncher } from "./pasted.ts";
import { type ConfigProblem, type Path, problemAt } from "./problem.ts";
import { readYaml } from "./read-yaml.ts";
import type { ClusterFile, JobKeys } from "./schema.ts";
import { splitCommand } from "./words.ts";

export type JobInputs = {
  readonly file: ClusterFile;
  readonly at: Positions;
  /** The cluster file as typed. */
  readonly fileName: string;
  readonly launcher: Launcher;
  /** After `--`; empty: the file's job, else the smoke test. */
  readonly argv: readonly string[];
  /** The one workdir of all chosen hosts, absolute unless `noSync`. */
  readonly workdir: string | undefined;
  readonly noSync: boolean;
  readonly mayLackJob?: boolean;
  readonly cwd: string;
  readonly home: string;
  readonly files: Files;
};

export type ResolvedJob = { readonly job: Job; readonly code: RunSpec["code"]; readonly problems: readonly ConfigProblem[] };

export function resolveJob(inputs: JobInputs): ResolvedJob {
  const { argv, launcher, file, at } = inputs;
  const typed = argv.length > 0;
  const job = typed ? jobFromArgv(argv, inputs.fileName, launcher === "command") : jobFromFile(file.job);
  if (!typed && job.kind === "command") refusePastedLauncher(job.argv, `nexadist up ${quoteAll([inputs.fileName]).join("")}`);
  const problems: ConfigProblem[] = [];
  const report = (key: string, message: string, hint?: string): void => {
    const path: Path = ["job", key];
    problems.push(
      typed
        ? problemAt({ name: "after --", text: quoteAll(argv).join(" ") }, 0, [], message, hint)
        : problemIn(at, path, message, hint === undefined ? {} : { hint }),
    );
  };
  if (launcher === "command" && job.kind === "smoke" && inputs.mayLackJob !== true) {
    problems.push(
      problemIn(at, [file.launcher === undefined ? "backend" : "launcher"], "backend command has nothing to run", {
        hint: "name it under `job: {command: …}` or after `--`",
      }),
    );
  }
  if (job.kind === "smoke" && file.job?.resume_args !== undefined) {
    problems.push(problemIn(at, ["job", "resume_args"], "arguments of what? script, module or command is missing", { key: true }));
  }
  if (typed && launcher === "command" && job.kind !== "command") {
    report("command", "backend command runs programs as they stand, and this is Python's to run", `-- python ${quoteAll(argv).join(" ")}`);
  }
  if (inputs.noSync) {
    return { job, code: job.kind === "smoke" ? { kind: "none" } : { kind: "in-place", dir: inputs.workdir ?? inputs.cwd }, problems };
  }
  const root = inputs.workdir ?? inputs.cwd;
  if (job.kind === "smoke") return { job, code: { kind: "none" }, problems };
  if (job.kind === "module") return { job, code: { kind: "snapshot", root }, problems };
  if (job.kind === "command") {
    const travels =
      inputs.workdir !== undefined ||
      job.argv.some(
        (word) =>
          !isAbsolute(word) && word !== "" && inside(root, resolvePath(root, word, root)) !== null && inputs.files.isFile(resolvePath(root, word, root)),
      );
    const wrong = programProblem(job.argv[0] ?? "", root, inputs.files);
    if (wrong !== null) report("command", wrong.what, wrong.hint);
    return { job, code: travels ? { kind: "snapshot", root } : { kind: "none" }, problems };
  }
  const places = typed ? [root, inputs.cwd] : [root];
  const found = places.map((base) => resolvePath(base, job.script, inputs.home)).find(inputs.files.isFile);
  const script = found === undefined ? null : inside(root, found);
  if (found === undefined)
    report(
      "script",
      `no such file: ${job.script} (looked in ${[...new Set(places)].join(" and ")})`,
      inputs.workdir === undefined ? "run nexadist where the code is, or set workdir" : undefined,
    );
  else if (script === null)
    report("script", `${found} lies outside of ${root}, the directory that travels to the hosts`, "run nexadist where the code is, or set workdir");
  return { job: { ...job, script: script ?? job.script }, code: { kind: "snapshot", root }, problems };
}

/** What keeps a program that travels with the code from being run; absolute paths and names on the PATH are the hosts' own. */
function programProblem(program: string, root: string, files: Files): { readonly what: string; readonly hint?: string } | null {
  if (program === "" || isAbsolute(program) || program.startsWith("~")) return null;
  const path = resolvePath(root, program, root);
  const isPath = program.includes("/");
  if (!files.isFile(path)) return isPath ? { what: `no such file in ${root}: ${program}` } : null;
  const word = quoteAll([isPath ? program : `./${program}`]).join("");
  if (!files.isExecutable(path)) return { what: `${program} is not executable`, hint: `chmod +x ${word}, or name what runs it: sh ${word}` };
  if (!isPath && /\.\w+$/.test(program)) return { what: `${program} is here, but a name without / is looked for on the PATH`, hint: `-- ${word}` };
  return null;
}

function jobFromFile(job: JobKeys | undefined): Job {
  const args = job?.args ?? [];
  if (job?.script !== undefined) return { kind: "script", script: job.script, args };
  if (job?.module !== undefined) return { kind: "module", module: job.module, args };
  if (job?.command === undefined) return { kind: "smoke", args: [] };
  const words = typeof job.command === "string" ? splitCommand(job.command) : { ok: true as const, words: job.command };
  return { kind: "command", argv: [...(words.ok ? words.words : []), ...args] };
}

export type AccelerateRead = { readonly config: Readonly<Record<string, unknown>> | null; readonly problems: readonly ConfigProblem[] };

export function readAccelerateConfig(file: ClusterFile, at: Positions, files: Files): AccelerateRead {
  const path = file.job?.accelerate_config;
  if (path === undefined) return { config: null, problems: [] };
  const text = files.read(path);
  if (!text.ok) return { config: null, problems: [problemIn(at, ["job", "accelerate_config"], `cannot read ${path}: ${text.why}`)] };
  const read = readYaml({ name: path, text: text.text }, { free: true });
  if (!read.ok) return { config: null, problems: read.problems };
  const { value } = read.located;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const problems = accelerateProblems(read.located);
    return { config: problems.length > 0 ? null : (value as Readonly<Record<string, unknown>>), problems };
  }
  return { config: null, problems: [problemIn(read.located.at, [], "an accelerate configuration is a map of keys")] };
}
