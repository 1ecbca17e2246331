/** The command table: parsing, help, docs and the frozen-flags test come from here. Each command's code is loaded only when it is asked for. */

import type { Context } from "./context.ts";

export type Args = readonly (string | readonly string[] | undefined)[];
export type Options = Readonly<Record<string, unknown>>;
export type Run = (context: Context, args: Args, options: Options) => Promise<number>;
/** flags, help, and "many" when it may be given again and again. */
export type OptionSpec = readonly [string, string] | readonly [string, string, "many"];

export type CommandSpec = {
  /** "up", or "config show": a command of a group. */
  readonly name: string;
  readonly group?: string;
  readonly about: string;
  readonly args: readonly (readonly [string, string])[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** A command line of the user's own may follow `--`. */
  readonly takesRest: boolean;
  readonly load: () => Promise<Run>;
};

const file = ["[file]", "cluster file (default: -c, else ./cluster.yaml)"] as const;
const run = ["[run]", "id, unique beginning of it, name, or latest (default)"] as const;
const host: OptionSpec = ["--host <host>", "only this host (again for more; ranges such as gpu[1-4])", "many"];
const exclude: OptionSpec = ["--exclude <host>", "all but this host (again for more)", "many"];
const set: OptionSpec = ["--set <key=value>", "set a key of the cluster file, such as timeouts.connect=10s (again for more)", "many"];
const dryRun: OptionSpec = ["--dry-run", "only say what would be done on every host"];
const accept: OptionSpec = ["--accept-new-host-keys", "take unknown host keys into known_hosts, printing their fingerprints"];

export const GLOBALS: readonly OptionSpec[] = [
  ["-c, --cluster <file>", "cluster file"],
  ["--json", "machine-readable output, with a schema number"],
  ["-q, --quiet", "no progress"],
  ["-v, --verbose", "more words when something fails"],
  ["--color", "colours even when stdout is no terminal"],
  ["--no-color", "no colours"],
  ["--no-input", "never ask"],
  ["-y, --yes", "answer yes to what would be asked"],
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "up",
    about: "Reach the hosts, start the job on all of them, and watch it.",
    args: [file],
    options: [
      ["-d, --detach", "do not watch: leave once the controller has the run"],
      ["--dry-run", "only print what would run on every host, with the reason of each variable"],
      ["--name <name>", "name of the run"],
      set,
      host,
      exclude,
      ["--no-sync", "send no code: the hosts share a file system; only the script is compared, not what it imports"],
      accept,
    ],
    examples: [
      "nexadist up cluster.yaml",
      "nexadist up -- train.py --lr 3e-4",
      "nexadist up -- -m pkg.train",
      "nexadist up --dry-run --set defaults.gpus=2 -- train.py",
    ],
    takesRest: true,
    load: async () => (await import("./up.ts")).up,
  },
  {
    name: "attach",
    about: "Watch a run from another terminal. Leaving never touches the run. With -c, also one whose controller is gone: it is taken over.",
    args: [run],
    options: [accept],
    examples: ["nexadist attach", "nexadist attach train_20251101_143200", "nexadist attach -c cluster.yaml"],
    takesRest: false,
    load: async () => (await import("./attach.ts")).attach,
  },
  {
    name: "ps",
    about: "Runs that are alive; with -c, also those that the hosts of the file have on record.",
    args: [],
    options: [["-a, --all", "ended ones too"], accept],
    examples: ["nexadist ps", "nexadist ps --all --json", "nexadist ps -c cluster.yaml"],
    takesRest: false,
    load: async () => (await import("./runs.ts")).ps,
  },
  {
    name: "takeover",
    about: "Lead a run from this machine, from what its hosts have on record: its controller's disk is gone, or another machine had it. What runs goes on.",
    args: [run],
    options: [["--force", "also from a controller that leads it now: that one is fenced for good"], ["-d, --detach", "do not watch"], accept],
    examples: ["nexadist takeover -c cluster.yaml", "nexadist takeover train_20251101_143200 --force"],
    takesRest: false,
    load: async () => (await import("./takeover.ts")).takeover,
  },
  {
    name: "status",
    about: "One run: phase, hosts, ranks, receipts.",
    args: [run],
    options: [],
    examples: ["nexadist status", "nexadist status latest --json"],
    takesRest: false,
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "runs",
    about: "All runs that this controller knows, latest first.",
    args: [],
    options: [["--limit <n>", "at most so many (default 20)"]],
    examples: ["nexadist runs --limit 5"],
    takesRest: false,
    load: async () => (await import("./runs.ts")).runs,
  },
  {
    name: "logs",
    about: "Log lines of a run's ranks.",
    args: [run],
    options: [
      host,
      ["--rank <ranks>", "such as 0,3-5 or all (default)"],
      ["--stream <stream>", "out, err, nccl or launcher (again for more; default: all but nccl)", "many"],
      ["--attempt <n>", "of this attempt (default: the latest)"],
      ["--since <time>", "not older than, such as 10m, or from a time on, such as 09:30"],
      ["-n, --lines <n>", "the last n lines"],
      ["-f, --follow", "go on with new lines"],
      ["--grep <regex>", "only lines that match"],
    ],
    examples: ["nexadist logs -n 50", "nexadist logs --rank 0 -f", "nexadist logs --grep loss --since 10m"],
    takesRest: false,
    load: async () => (await import("./logs.ts")).logs,
  },
  {
    name: "stop",
    about: "Stop a run: SIGTERM, grace, SIGKILL, sweep; waits for the receipts and prints them.",
    args: [run],
    options: [["--now", "no grace"], ["--timeout <time>", "grace before SIGKILL, such as 60s (default: timeouts.stop_grace)"], dryRun],
    examples: ["nexadist stop", "nexadist stop train_20251101_143200 --timeout 60s"],
    takesRest: false,
    load: async () => (await import("./stop.ts")).stop,
  },
  {
    name: "hang",
    about: "Where every rank is, and who waits for whom: one sentence, then the ranks by what they do; -v shows their stacks. Nothing is paused.",
    args: [run],
    options: [],
    examples: ["nexadist hang", "nexadist hang -v", "nexadist hang latest --json | jq .groups"],
    takesRest: false,
    load: async () => (await import("./hang.ts")).hang,
  },
  {
    name: "exec",
    about: "Run a command on all or some hosts at once. It reads nothing: stdin is not sent.",
    args: [file],
    options: [
      host,
      exclude,
      ["--serial", "one host after the other"],
      ["--timeout <duration>", "end the command on each host that has not ended it by then; exit 8"],
      accept,
    ],
    examples: ["nexadist exec -- nvidia-smi -L", "nexadist exec --host gpu[1-4] --timeout 10s -- df -h /"],
    takesRest: true,
    load: async () => (await import("./exec.ts")).exec,
  },
  {
    name: "shell",
    about: "An interactive shell on a host; its exit status is the command's.",
    args: [["<host>", "a host of the cluster file, or any SSH host"]],
    options: [accept],
    examples: ["nexadist shell gpu-a"],
    takesRest: false,
    load: async () => (await import("./shell.ts")).shell,
  },
  {
    name: "cp",
    about: "Copy files and directories to or from a host.",
    args: [["<paths...>", "sources, then the target; each PATH or HOST:PATH"]],
    options: [dryRun, accept],
    examples: ["nexadist cp data.bin gpu-a:data/", "nexadist cp gpu-a:runs/last ./last"],
    takesRest: false,
    load: async () => (await import("./cp.ts")).cp,
  },
  {
    name: "hosts",
    about: "Reach and inventory: OS, architecture, GPUs, Node, Python, torch, and how SSH goes there.",
    args: [file],
    options: [host, exclude, accept],
    examples: ["nexadist hosts", "nexadist hosts --json | jq .hosts[].facts.gpus"],
    takesRest: false,
    load: async () => (await import("./hosts.ts")).hosts,
  },
  {
    name: "audit",
    about: "Ask every host over SSH what of ours is alive there, of which run, and what is left over; offers to end that.",
    args: [file],
    options: [host, exclude, ["--end", "end what is left over without a question"], accept],
    examples: ["nexadist audit", "nexadist audit --host gpu-a --end", "nexadist audit --json"],
    takesRest: false,
    load: async () => (await import("./audit.ts")).audit,
  },
  {
    name: "drill",
    about: "Kill parts of a run of its own on the hosts, and measure how soon that is seen and how soon it trains again.",
    args: [file],
    options: [set, host, exclude, accept],
    examples: ["nexadist drill cluster.yaml", "nexadist drill --yes --json"],
    takesRest: false,
    load: async () => (await import("./drill.ts")).drill,
  },
  {
    name: "explain",
    about: "What a code of a finding or an error means and what to do; or the findings that a log shows. Needs no network.",
    args: [["[what]", "a code in any case, a file, or - for the standard input"]],
    options: [["--list", "all codes"]],
    examples: ["nexadist explain CUDA_OOM", "nexadist explain train.log", "nexadist explain --list"],
    takesRest: false,
    load: async () => (await import("./explain.ts")).explain,
  },
  {
    name: "agent status",
    group: "The agents on the hosts.",
    about: "Which hosts have an agent, and of which build.",
    args: [file],
    options: [host, exclude, accept],
    examples: ["nexadist agent status"],
    takesRest: false,
    load: async () => (await import("./agent.ts")).agentStatus,
  },
  {
    name: "agent upgrade",
    about: "Replace the agents by this build's; training goes on.",
    args: [file],
    options: [host, exclude, dryRun, accept],
    examples: ["nexadist agent upgrade --host gpu-a"],
    takesRest: false,
    load: async () => (await import("./agent.ts")).agentUpgrade,
  },
  {
    name: "agent uninstall",
    about: "Take everything of ours off the hosts; says what of the user's was left.",
    args: [file],
    options: [["--purge", "also what the job wrote in its run directories"], ["--force", "end runs that are alive there"], ...[host, exclude, dryRun, accept]],
    examples: ["nexadist agent uninstall --dry-run", "nexadist agent uninstall --host gpu-a --purge"],
    takesRest: false,
    load: async () => (await import("./agent-uninstall.ts")).agentUninstall,
  },
  {
    name: "config show",
    group: "The cluster file.",
    about: "The configuration as it is understood, secrets as $NAME.",
    args: [file],
    options: [["--origin", "where each value came from"], set],
    examples: ["nexadist config show --origin"],
    takesRest: false,
    load: async () => (await import("./config-commands.ts")).show,
  },
  {
    name: "config validate",
    about: "Check the cluster file.",
    args: [file],
    options: [set],
    examples: ["nexadist config validate cluster.yaml"],
    takesRest: false,
    load: async () => (await import("./config-commands.ts")).validate,
  },
  {
    name: "config schema",
    about: "Every key, and which launcher goes with which backend.",
    args: [],
    options: [],
    examples: ["nexadist config schema", "nexadist config schema --json > cluster.schema.json"],
    takesRest: false,
    load: async () => (await import("./config-commands.ts")).schema,
  },
  {
    name: "version",
    about: "Print the version.",
    args: [],
    options: [],
    examples: ["nexadist version"],
    takesRest: false,
    load: async () => (await import("./print-version.ts")).printVersion,
  },
];
