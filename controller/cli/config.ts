/** `config show`, `config validate`, `config schema`: what the cluster file says, whether it is right, what it may say. */

import { stringify } from "yaml";
import { BACKENDS, LEGAL, MEANING } from "../../cluster/config/backends.ts";
import type { Effective } from "../../cluster/config/effective.ts";
import { keyTable } from "../../cluster/config/keys.ts";
import { formatProblem, inert } from "../../cluster/config/problem.ts";
import type { Resolved } from "../../cluster/config/resolve.ts";
import { clusterJsonSchema } from "../../cluster/config/schema.ts";
import { EXIT } from "../../cluster/errors.ts";
import { hostCount } from "../../cluster/host-count.ts";
import { isUsage, resolveFromDisk } from "./config-disk.ts";

export type ConfigIo = {
  /** Each writes one line. */
  readonly stdout: (line: string) => void;
  readonly stderr: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
};
export type ConfigOptions = { readonly file: string | undefined; readonly set: readonly string[]; readonly json: boolean };

const JSON_SCHEMA = 1;

function resolveOnly(options: ConfigOptions, { env, cwd }: ConfigIo): Resolved {
  return resolveFromDisk({ file: options.file, set: options.set, runFor: (name) => name, argv: [], hosts: [], exclude: [], noSync: false }, env, cwd);
}

function tellProblems(problems: Extract<Resolved, { ok: false }>["problems"], json: boolean, io: ConfigIo): number {
  if (json) io.stdout(JSON.stringify({ schema: JSON_SCHEMA, ok: false, problems }));
  else {
    for (const problem of problems) io.stderr(formatProblem(problem));
    io.stderr(`${problems.length} problem${problems.length === 1 ? "" : "s"}`);
  }
  return isUsage(problems) ? EXIT.usage : EXIT.config;
}

/** Errors: CLUSTER_FILE. */
export async function configShow(options: ConfigOptions & { readonly origin: boolean }, io: ConfigIo): Promise<number> {
  const resolved = resolveOnly(options, io);
  if (!resolved.ok) return tellProblems(resolved.problems, options.json, io);
  const { effective } = resolved;
  if (options.json) io.stdout(JSON.stringify({ schema: JSON_SCHEMA, ok: true, config: effective.config, values: effective.rows }));
  else if (options.origin) for (const line of originLines(effective)) io.stdout(line);
  else io.stdout(inertLines(stringify(effective.config, { lineWidth: 0 })));
  return EXIT.ok;
}

const inertLines = (text: string): string => text.trimEnd().split("\n").map(inert).join("\n");

function originLines({ rows }: Effective): readonly string[] {
  const cells = rows.map(({ key, value, origin }) => [inert(key), inert(typeof value === "string" ? value : JSON.stringify(value)), inert(origin)] as const);
  const wide = (column: 0 | 1): number => Math.min(Math.max(...cells.map((cell) => cell[column].length), 0), 48);
  return cells.map(([key, value, origin]) => `${key.padEnd(wide(0))}  ${value.padEnd(wide(1))}  ${origin}`);
}

/** Errors: CLUSTER_FILE. */
export async function configValidate(options: ConfigOptions, io: ConfigIo): Promise<number> {
  const resolved = resolveOnly(options, io);
  if (!resolved.ok) return tellProblems(resolved.problems, options.json, io);
  const { spec } = resolved;
  if (options.json) io.stdout(JSON.stringify({ schema: JSON_SCHEMA, ok: true, hosts: spec.hosts.map((host) => host.name), launcher: spec.launcher }));
  else io.stdout(`${inert(options.file ?? "cluster.yaml")} is right: ${hostCount(spec)}, launcher ${spec.launcher}`);
  return EXIT.ok;
}

/** With `json` the JSON schema that editors take. */
export async function configSchema(options: { readonly json: boolean }, io: Pick<ConfigIo, "stdout">): Promise<number> {
  if (options.json) {
    io.stdout(JSON.stringify({ schema: JSON_SCHEMA, ...clusterJsonSchema() }, null, 2));
    return EXIT.ok;
  }
  const rows = keyTable();
  const wide = Math.max(...rows.map(({ key }) => key.length));
  for (const { key, what } of rows) io.stdout(`${key.padEnd(wide)}  ${what}`);
  io.stdout("");
  io.stdout("backend            launcher (the first is the default)");
  for (const backend of BACKENDS)
    for (const [i, launcher] of LEGAL[backend].entries()) io.stdout(`${(i === 0 ? backend : "").padEnd(17)}  ${launcher.padEnd(15)}  ${MEANING[launcher]}`);
  return EXIT.ok;
}
