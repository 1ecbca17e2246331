/** The cluster file for commands: its hosts alone, or the whole run. Problems become one error that lists them all. */

import { chooseHosts, hostSpecs, namedEntries } from "../../cluster/config/hosts.ts";
import type { ConfigProblem } from "../../cluster/config/problem.ts";
import { mergeLayers, resolveRun } from "../../cluster/config/resolve.ts";
import { runId } from "../../cluster/config/run-id.ts";
import { durationMs } from "../../cluster/config/units.ts";
import { fail } from "../../cluster/errors.ts";
import type { HostSpec, RunSpec, SecretValues } from "../../cluster/spec.ts";
import type { Options } from "./commands.ts";
import { configError, homeOf, nodeFiles, readClusterFile, readUserFile } from "./config-disk.ts";
import type { Context } from "./context.ts";

const listOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((each) => typeof each === "string") : []);

/** With --json the problems travel as data too. */
const invalid = (problems: readonly ConfigProblem[]): Error => Object.assign(configError(problems), { problems });

function sourceOf(context: Context, named: unknown): ReturnType<typeof readClusterFile> {
  const name = typeof named === "string" ? named : context.cluster;
  if (name !== undefined && /\.(py|sh)$/.test(name)) throw fail("USAGE", { what: `${name} is a script, not a cluster file`, fix: `nexadist up -- ${name}` });
  return readClusterFile(name, context.cwd, context.command);
}

function inputsOf(context: Context, options: Options) {
  const home = homeOf(context.env);
  return {
    argv: context.rest ?? [],
    name: typeof options.name === "string" ? options.name : undefined,
    set: listOf(options.set),
    hosts: listOf(options.host),
    exclude: listOf(options.exclude),
    noSync: options.sync === false,
    environment: context.env,
    userFile: readUserFile(context.env, home),
    cwd: context.cwd,
    home,
    files: nodeFiles,
  };
}

export type Loaded = { readonly spec: RunSpec; readonly secrets: SecretValues };

/** Errors: CLUSTER_FILE, CONFIG, USAGE, PASTED_LAUNCHER. */
export function loadRun(context: Context, named: unknown, options: Options, now: Date, more: { readonly mayLackJob?: boolean } = {}): Loaded {
  const resolved = resolveRun(sourceOf(context, named), { ...inputsOf(context, options), ...more, runFor: () => runId("train", now) });
  if (!resolved.ok) throw invalid(resolved.problems);
  context.connectMs = resolved.spec.timeouts.connectMs;
  return resolved;
}

/** `connectMs`: what the file says; null: nothing. */
export type LoadedHosts = { readonly hosts: readonly HostSpec[]; readonly file: string; readonly seat: string | null; readonly connectMs: number | null };

/** The hosts that a command is about, whatever the file says of the job. Errors: CLUSTER_FILE, CONFIG. */
export function loadHosts(context: Context, named: unknown, options: Options): LoadedHosts {
  const source = sourceOf(context, named);
  const inputs = inputsOf(context, options);
  const layers = mergeLayers(source, inputs);
  if (!layers.ok) throw invalid(layers.problems);
  const chosen = chooseHosts(namedEntries(layers.file), { hosts: inputs.hosts, exclude: inputs.exclude });
  if (chosen.problems.length > 0) throw invalid(chosen.problems);
  const connectMs = durationMs(layers.file.timeouts?.connect ?? "");
  context.connectMs = connectMs ?? context.connectMs;
  // Problems of their job's environment do not matter here: nothing of it is used.
  const { hosts } = hostSpecs(chosen.entries, layers.file, layers.located.at, { files: nodeFiles, environment: context.env });
  return { hosts, file: source.path, seat: layers.file.controller?.seat ?? null, connectMs };
}
