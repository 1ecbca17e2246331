/** What a command of the table is, and the arguments and options that many of them share. */

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

export const file = ["[file]", "cluster file (default: -c, else ./cluster.yaml)"] as const;
export const run = ["[run]", "id, unique beginning of it, name, or latest (default)"] as const;
export const host: OptionSpec = ["--host <host>", "only this host (again for more; ranges such as gpu[1-4])", "many"];
export const exclude: OptionSpec = ["--exclude <host>", "all but this host (again for more)", "many"];
export const set: OptionSpec = ["--set <key=value>", "set a key of the cluster file, such as timeouts.connect=10s (again for more)", "many"];
export const dryRun: OptionSpec = ["--dry-run", "only say what would be done on every host"];
export const accept: OptionSpec = ["--accept-new-host-keys", "take unknown host keys into known_hosts, printing their fingerprints"];
/** How a run is shown. */
export const screenOptions: readonly OptionSpec[] = [
  ["--ui <how>", "auto: a screen on a terminal of at least 60x16, else lines; tui, plain, or none: only the end is told"],
  ["--readonly", "on the screen, no key acts on the run"],
  ["--ascii", "on the screen, no character outside ASCII"],
];
