/** What every command is given: the person's terminal, the global options, and words for both. */

export type Globals = {
  readonly cluster: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean | undefined;
  /** May ask questions. */
  readonly input: boolean;
  readonly yes: boolean;
};

export type Context = Globals & {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** stdout is a terminal that takes colours. */
  readonly hasColour: boolean;
  /** A person sits there: stdin and stderr are terminals and questions are allowed. */
  readonly isInteractive: boolean;
  /** Data: stdout, one line. */
  readonly print: (line: string) => void;
  /** One JSON object on stdout. */
  readonly printJson: (value: object) => void;
  /** Progress and messages: stderr, not with --quiet nor --json. */
  readonly say: (line: string) => void;
  /** What was given after `--`; null: no `--`. */
  readonly rest: readonly string[] | null;
  /** "up", "agent status". */
  readonly command: string;
  /** The cluster file as the person named it; null: not at all. */
  readonly named: string | null;
  /** How long a host is tried: `timeouts.connect` once a cluster file was read. */
  connectMs: number;
};

const CONNECT_MS = 30_000;

/** Every JSON document names its version. */
export const JSON_SCHEMA = 1;

export function hasColour(stream: NodeJS.WriteStream, wish: boolean | undefined, env: NodeJS.ProcessEnv): boolean {
  if (wish !== undefined) return wish;
  return stream.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
}

export function makeContext(globals: Globals, rest: readonly string[] | null, command: string, named: string | null = globals.cluster ?? null): Context {
  return {
    ...globals,
    env: process.env,
    cwd: process.cwd(),
    hasColour: hasColour(process.stdout, globals.color, process.env),
    isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true && globals.input && !globals.json && (process.env.CI ?? "") === "",
    print: (line) => void process.stdout.write(`${line}\n`),
    printJson: (value) => void process.stdout.write(`${JSON.stringify({ schema: JSON_SCHEMA, ...value })}\n`),
    say: (line) => {
      if (!globals.quiet && !globals.json) process.stderr.write(`${line}\n`);
    },
    rest,
    command,
    named,
    connectMs: CONNECT_MS,
  };
}
