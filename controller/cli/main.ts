/** Parses the command line with commander, loads the one command that was asked for, and turns what it throws into an exit status. */

import { Command, CommanderError } from "commander";
import { EXIT, fail } from "../../cluster/errors.ts";
import { quoteAll } from "../../cluster/launch/quote.ts";
import { COMMANDS, type CommandSpec, GLOBALS } from "./commands.ts";
import { type Globals, makeContext } from "./context.ts";
import { type ErrorStyle, reportError } from "./report-error.ts";
import { version } from "./version.ts";

type Job = {
  readonly spec: CommandSpec;
  readonly args: readonly (string | readonly string[] | undefined)[];
  readonly options: Readonly<Record<string, unknown>>;
};

type Style = { -readonly [K in keyof ErrorStyle]: ErrorStyle[K] };

/** The cluster file that the person named, as an argument or by -c. */
function namedOf({ spec, args, options }: Job): string | null {
  const given = args[spec.args.findIndex(([argument]) => argument === "[file]")];
  const named = typeof given === "string" ? given : options.cluster;
  return typeof named === "string" && !/\.(py|sh)$/.test(named) ? named : null;
}

export async function main(argv: readonly string[]): Promise<number> {
  // What follows `--` is the user's own command line: commander never sees it.
  const cut = argv.indexOf("--");
  const ours = cut < 0 ? argv : argv.slice(0, cut);
  const rest = cut < 0 ? null : argv.slice(cut + 1);
  let job: Job | undefined;
  const style: Style = {
    json: ours.includes("--json"),
    verbose: ours.includes("-v") || ours.includes("--verbose"),
    command: commandOf(ours)?.name ?? "",
    named: null,
  };
  try {
    const program = buildProgram((found) => {
      job = found;
    });
    program.parse([...ours], { from: "user" });
    if (job === undefined) return EXIT.ok;
    style.command = job.spec.name;
    const { spec, args, options } = job;
    if (rest !== null && !spec.takesRest) throw fail("USAGE", { what: `${spec.name} takes nothing after --`, fix: `nexadist ${spec.name} --help` });
    style.named = namedOf(job);
    const context = makeContext(globalsOf(options), rest, spec.name, style.named);
    return await (await spec.load())(context, args, options);
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return EXIT.ok; // --help
      if (thrown.code === "commander.help" && style.json) return reportError(fail("USAGE", { what: "no command was given", fix: "nexadist --help" }), style);
      if (thrown.code === "commander.help") return EXIT.usage; // nothing was asked: the help is on stderr
      return reportError(usage(thrown, ours, rest), style);
    }
    return reportError(thrown, style);
  }
}

function globalsOf(options: Readonly<Record<string, unknown>>): Globals {
  const { cluster, color } = options;
  return {
    cluster: typeof cluster === "string" ? cluster : undefined,
    json: options.json === true,
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    color: typeof color === "boolean" ? color : undefined,
    input: options.input !== false,
    yes: options.yes === true,
  };
}

const commandOf = (argv: readonly string[]): CommandSpec | undefined =>
  COMMANDS.find(({ name }) => name.split(" ").every((word, k) => argv.filter((each) => !each.startsWith("-"))[k] === word));

/** commander's words in our shape: the nearest name is the cure when there is one. */
function usage(error: CommanderError, argv: readonly string[], rest: readonly string[] | null): Error {
  const known = commandOf(argv);
  const fix = known === undefined ? null : cureOf(known.name, error.code, argv, rest);
  if (fix !== null) return fail("USAGE", { what: wordsOf(error.message), fix });
  const [first = "", second] = error.message.split("\n");
  const near = /Did you mean (?:one of )?(.+?)\?/.exec(second ?? first)?.[1];
  const command = known?.name ?? COMMANDS.find((spec) => argv.includes(spec.name.split(" ")[0] ?? ""))?.name.split(" ")[0];
  return fail("USAGE", {
    what: wordsOf(first),
    fix: near === undefined ? `nexadist ${command === undefined ? "" : `${command} `}--help` : `did you mean ${near}?`,
  });
}

const wordsOf = (message: string): string => (message.split("\n")[0] ?? "").replace(/^error: /, "").replace(/\s*\(Did you mean.*$/, "");

/** Mistakes that many make, and what they meant; null: not one of those. */
function cureOf(command: string, code: string, argv: readonly string[], rest: readonly string[] | null): string | null {
  if (command === "cp" && code === "commander.unknownOption") {
    const flag = argv.find((word) => /^(-[rRa]+|--recursive)$/.test(word));
    return flag === undefined ? null : `directories go whole without it: nexadist ${quoteAll(argv.filter((word) => word !== flag)).join(" ")}`;
  }
  if (command !== "up" || rest !== null || (code !== "commander.excessArguments" && code !== "commander.unknownOption")) return null;
  const script = argv.findIndex((word) => /\.py$/.test(word));
  const second = argv.indexOf("up") + 2;
  const from = script >= 0 ? script : code === "commander.excessArguments" && !argv.slice(0, second + 1).some((word) => word.startsWith("-")) ? second : -1;
  return from < 0 ? null : `did you mean: nexadist ${quoteAll(argv.slice(0, from)).join(" ")} -- ${quoteAll(argv.slice(from)).join(" ")}`;
}

export function buildProgram(take: (job: Job) => void): Command {
  const program = new Command("nexadist");
  program
    .description("Multi-node launcher for PyTorch on hosts you own or rent, over plain SSH.")
    .version(version(), "-V, --version", "print the version")
    .addHelpText(
      "before",
      "Examples:\n  nexadist up cluster.yaml -- train.py --lr 3e-4\n  nexadist up -d && nexadist logs -f\n  nexadist exec -- nvidia-smi -L\n",
    )
    .addHelpText("after", `\nExit status: ${EXIT_WORDS}`)
    .showSuggestionAfterError(true);
  quietly(program);
  addOptions(program, GLOBALS, "");
  const groups = new Map<string, Command>();
  for (const spec of COMMANDS) {
    const [name = "", sub] = spec.name.split(" ");
    let parent = program;
    if (sub !== undefined) {
      parent = groups.get(name) ?? quietly(program.command(name).description(spec.group ?? ""));
      groups.set(name, parent);
    }
    const command = quietly(parent.command(sub ?? name).description(spec.about));
    if (spec.takesRest) command.usage(`[options] ${spec.args.map(([argument]) => argument).join(" ")} -- ${spec.name === "up" ? "job..." : "command..."}`);
    for (const [argument, about] of spec.args) command.argument(argument, about);
    addOptions(command, spec.options, "");
    addOptions(command, GLOBALS, "Global options:");
    command.addHelpText("before", `Examples:\n${spec.examples.map((line) => `  ${line}`).join("\n")}\n`);
    command.action((...given: unknown[]) => {
      const args = given.slice(0, spec.args.length) as (string | string[] | undefined)[];
      take({ spec, args, options: { ...program.opts(), ...definedOf(command.opts()) } });
    });
  }
  return program;
}

/** Wrapped by hand: commander wraps descriptions only. */
const EXIT_WORDS = [
  "0 ok or detached, 1 run failed, 2 usage, 3 configuration,",
  "  4 host unreachable or refused, 5 preflight, 6 version mismatch,",
  "  7 controller lost, 8 timed out, 9 stopped, 70 bug",
].join("\n");

const definedOf = (options: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** Errors are thrown, not printed: they get our three lines. */
const quietly = (command: Command): Command => command.exitOverride().configureOutput({ outputError: () => undefined });

function addOptions(command: Command, options: CommandSpec["options"], heading: string): void {
  if (heading !== "") command.optionsGroup(heading);
  for (const [flags, about, kind] of options) {
    if (kind === "many") command.option(flags, about, (value: string, before: string[] | undefined) => [...(before ?? []), value]);
    else command.option(flags, about);
  }
}
