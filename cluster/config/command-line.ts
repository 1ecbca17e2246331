/** What stands after `--` on the command line to a job. */

import { fail } from "../errors.ts";
import { quoteAll } from "../launch/quote.ts";
import type { Job } from "../spec.ts";
import { checkModule } from "./names.ts";
import { refusePastedLauncher } from "./pasted.ts";

const usage = (what: string, fix: string): Error => fail("USAGE", { what, fix });

/**
 * `train.py …`, `-m pkg.mod …`, `python train.py …` or any program. `file` is the cluster file as typed, for hints that can be pasted.
 * `asItStands` (backend command): the words are the program, an interpreter and its options included.
 * Errors: PASTED_LAUNCHER for torchrun and its like, USAGE for an interpreter's options that cannot be kept.
 */
export function jobFromArgv(argv: readonly string[], file: string, asItStands = false): Job {
  const [program, ...rest] = argv;
  const up = `nexadist up ${quoteAll([file]).join("")}`;
  if (program === undefined || program === "") throw usage("nothing to run after `--`", `${up} -- train.py`);
  if (argv.some((word) => word.includes("\0"))) throw usage("a word after `--` holds a NUL character", `${up} -- train.py`);
  refusePastedLauncher(argv, up);
  const assigned = /^([A-Za-z_]\w*)=/.exec(program)?.[1];
  if (assigned !== undefined) {
    throw usage(`${assigned}=… after \`--\` is not a program; ranks get variables by name`, `${up} --set env.${assigned}=… -- ${quoteAll(rest).join(" ")}`);
  }
  if (program === "-m") return moduleJob(rest, up);
  const isScript = program.endsWith(".py");
  // `./x.py` with its own interpreter line is a program; a bare `x.py` is none that PATH would find.
  if (asItStands && (!isScript || program.includes("/")) && !program.startsWith("-")) return { kind: "command", argv };
  if (isScript && !program.startsWith("-")) return { kind: "script", script: program, args: rest };
  if (/^(.*\/)?python(3(\.\d+)?)?$/.test(program)) return fromInterpreter(program, rest, up);
  if (program.startsWith("-"))
    throw usage(`${program} after \`--\` is neither a script nor a program`, `options of nexadist stand before \`--\`: ${up} OPTIONS -- train.py`);
  return { kind: "command", argv };
}

function fromInterpreter(program: string, given: readonly string[], up: string): Job {
  let rest = given;
  while (rest[0] === "-u") rest = rest.slice(1); // ranks run unbuffered anyway
  const [first, ...args] = rest;
  const tail = quoteAll(rest).join(" ");
  if (first === undefined) throw usage(`${program} needs a script`, `${up} -- train.py`);
  if (program.includes("/"))
    throw usage(
      `which Python runs the ranks is a key of the cluster file, not ${program}`,
      `${up} --set defaults.python=${quoteAll([program]).join("")} -- python ${tail}`,
    );
  if (first === "-m") return moduleJob(args, up);
  if (first === "-c" || first === "-") throw usage(`python ${first}: a program in the command line cannot travel`, `put it in a file: ${up} -- train.py`);
  if (first.startsWith("-"))
    throw usage(`python's option ${first} is not kept for ranks`, `drop it: ${up} -- train.py; many have a variable, such as --set env.PYTHONOPTIMIZE=1`);
  return { kind: "script", script: first, args };
}

function moduleJob(words: readonly string[], up: string): Job {
  const [module, ...args] = words;
  if (module === undefined) throw usage("-m needs the name of a module", `${up} -- -m pkg.train`);
  const wrong = checkModule(module);
  if (wrong !== null) throw usage(`\`${module}\` ${wrong}`, `${up} -- -m pkg.train`);
  return { kind: "module", module, args };
}
