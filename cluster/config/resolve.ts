/** A cluster file and everything laid over it to the run that was asked for. */

import { WEBHOOKS } from "../notify/spec.ts";
import type { RunSpec, SecretValues } from "../spec.ts";
import { foldLauncher } from "./backends.ts";
import { parseDotenv } from "./dotenv.ts";
import { DEFAULTS, type Effective, effective } from "./effective.ts";
import type { Files } from "./files.ts";
import { chooseHosts, hostSpecs, namedEntries } from "./hosts.ts";
import { readAccelerateConfig, resolveJob } from "./job.ts";
import { layer } from "./layers.ts";
import { loadClusterFile, loadUserFile, type SourceFile } from "./load.ts";
import { type Located, type Positions, problemIn } from "./located.ts";
import { notifyOf } from "./notify.ts";
import { checkCluster } from "./parse.ts";
import { privateFiles } from "./private-files.ts";
import type { ConfigProblem } from "./problem.ts";
import { detectionOf, restartOf } from "./recovery.ts";
import { parseEndpoint, parsePorts } from "./rendezvous.ts";
import type { ClusterFile } from "./schema.ts";
import { type Surroundings, sortVariables } from "./secrets.ts";
import { durationMs, sizeBytes } from "./units.ts";
import { inOrder } from "./validate.ts";

export type RunInputs = {
  /** The run's id; it may use the resolved name. */
  readonly runFor: (name: string) => string;
  /** Words after `--`; empty: none. */
  readonly argv: readonly string[];
  readonly name?: string | undefined;
  readonly set: readonly string[];
  readonly hosts: readonly string[];
  readonly exclude: readonly string[];
  readonly noSync: boolean;
  /** Nothing is started: backend command needs no command. */
  readonly mayLackJob?: boolean;
  /** Of the command: NEXADIST_* keys and `env:` references come from here. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** $XDG_CONFIG_HOME/nexadist/config.yaml, where there is one. */
  readonly userFile: SourceFile | null;
  readonly cwd: string;
  readonly home: string;
  readonly files: Files;
};

export type Resolved =
  | { readonly ok: true; readonly spec: RunSpec; readonly secrets: SecretValues; readonly effective: Effective }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

type Layers =
  | { readonly ok: true; readonly file: ClusterFile; readonly located: Located }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** The layers merged and checked, nothing resolved yet: enough for `config show`. */
export function mergeLayers(
  source: SourceFile,
  inputs: Pick<RunInputs, "set" | "name" | "environment" | "userFile" | "cwd" | "home" | "noSync" | "files">,
): Layers {
  const { home, noSync, files } = inputs;
  const file = loadClusterFile(source, { files, home, noSync });
  const user = inputs.userFile === null ? null : loadUserFile(inputs.userFile, { files, home, noSync });
  const broken = [...(file.ok ? [] : file.problems), ...(user === null || user.ok ? [] : user.problems)];
  if (!file.ok || user?.ok === false) return { ok: false, problems: broken };
  const layered = layer(user === null ? null : user.located, file.located, {
    set: inputs.set,
    name: inputs.name,
    environment: inputs.environment,
    anchor: { dir: inputs.cwd, home, noSync },
  });
  const checked = checkCluster(layered.located);
  const problems = [...layered.problems, ...(checked.ok ? [] : checked.problems)];
  // The file's own inventory has been read by now, so this one came from a flag.
  if (checked.ok && typeof checked.file.cluster === "string")
    problems.push(problemIn(layered.located.at, ["cluster"], "an inventory is named in the cluster file, not by --set"));
  return !checked.ok || problems.length > 0 ? { ok: false, problems: inOrder(problems) } : { ok: true, file: checked.file, located: checked.located };
}

/** Errors: PASTED_LAUNCHER and USAGE for the words after `--`; all else is in `problems`. */
export function resolveRun(source: SourceFile, inputs: RunInputs): Resolved {
  const layers = mergeLayers(source, inputs);
  if (!layers.ok) return layers;
  const { file, located } = layers;
  const { at } = located;
  const problems: ConfigProblem[] = [];
  const surroundings: Surroundings = { files: inputs.files, environment: inputs.environment };

  const chosen = chooseHosts(namedEntries(file), { hosts: inputs.hosts, exclude: inputs.exclude });
  const hosts = hostSpecs(chosen.entries, file, at, surroundings);
  const global = globalVariables(file, at, surroundings);
  const launcher = foldLauncher(file.backend, file.launcher) ?? "torchrun";
  const workdirs = new Set(hosts.hosts.map((host) => host.workdir));
  if (workdirs.size > 1 && !inputs.noSync)
    problems.push(
      problemIn(at, ["cluster"], "hosts differ in workdir, but one snapshot of the code goes to all", { hint: "put workdir under defaults, or use --no-sync" }),
    );
  const [workdir] = workdirs;
  const job = resolveJob({ ...inputs, file, at, fileName: source.name, launcher, workdir });
  const accelerate = readAccelerateConfig(file, at, inputs.files);
  const notify = notifyOf(file, at, surroundings);
  problems.push(...chosen.problems, ...hosts.problems, ...global.problems, ...job.problems, ...accelerate.problems, ...notify.problems);

  const spares = chosen.entries.filter(({ list }) => list === "spares").map(({ name }) => name);
  const inCluster = hosts.hosts.length - spares.length;
  const minHosts = file.min_hosts ?? inCluster;
  if (chosen.problems.length === 0 && minHosts > inCluster) {
    problems.push(
      problemIn(at, ["min_hosts"], `${minHosts} hosts are required, and --host and --exclude leave ${inCluster}`, {
        hint: `--set min_hosts=${inCluster}`,
      }),
    );
  }
  const rdzv = rendezvous(file, chosen.entries);
  if (rdzv === "excluded" && chosen.problems.length === 0)
    problems.push(
      problemIn(at, ["rdzv"], `${file.rdzv} is not among the hosts that --host and --exclude leave`, { hint: "--set rdzv=HOST:PORT names another" }),
    );
  const seat = nameIn(chosen.entries, file.controller?.seat ?? null);
  if (seat === undefined && chosen.problems.length === 0) {
    const hint = "--set controller.seat=HOST names another";
    problems.push(problemIn(at, ["controller", "seat"], `${file.controller?.seat} is not among the hosts that --host and --exclude leave`, { hint }));
  }
  if (problems.length > 0 || rdzv === "excluded" || seat === undefined) return { ok: false, problems: inOrder(problems) };

  const name = file.name ?? defaultName(source.path);
  const ports = file.rdzv_ports === undefined ? null : parsePorts(file.rdzv_ports);
  const secrets: SecretValues = { ...(Object.keys(global.secret).length > 0 ? { "*": global.secret } : {}), ...hosts.secrets };
  const kept = privateFiles(file);
  const { connect = "30s", start = "10m", stop_grace = "30s", run = "none" } = file.timeouts ?? {};
  const spec: RunSpec = {
    schema: 1,
    run: inputs.runFor(name),
    name,
    file: source.path,
    hosts: hosts.hosts,
    spares,
    minHosts,
    launcher,
    per: file.job?.per ?? (launcher === "command" ? "host" : "gpu"),
    rdzv,
    rdzvPorts: ports?.ok ? ports.value : null,
    job: job.job,
    accelerateConfig: accelerate.config,
    env: global.plain,
    secretNames: Object.fromEntries(Object.entries(secrets).map(([scope, values]) => [scope, Object.keys(values).toSorted()])),
    timeouts: {
      connectMs: durationMs(connect) ?? 0,
      startMs: durationMs(start) ?? 0,
      stopGraceMs: durationMs(stop_grace) ?? 0,
      runMs: run === "none" ? null : durationMs(run),
      ...detectionOf(file.timeouts ?? {}),
    },
    restart: restartOf(file.restart ?? {}, launcher),
    resumeArgs: file.job?.resume_args ?? [],
    ...(file.job?.step_pattern === undefined ? {} : { stepPattern: file.job.step_pattern }),
    seat,
    ...(notify.spec === null ? {} : { notify: notify.spec }),
    ...(file.controller?.metrics === undefined ? {} : { metricsPort: file.controller.metrics }),
    logs: { quotaBytes: sizeBytes(file.logs?.quota ?? "2GiB") ?? 0 },
    paths: definedPaths(file.paths ?? {}),
    tags: file.tags ?? [],
    code: job.code.kind === "snapshot" && kept.length > 0 ? { ...job.code, keepOut: kept } : job.code,
  };
  const restart = { ...DEFAULTS.restart, max: spec.restart.max };
  const timeouts = { ...DEFAULTS.timeouts, lost: `${spec.timeouts.lostMs / 1000}s` };
  return { ok: true, spec, secrets: withUrls(secrets, notify.urls), effective: effective(located, { name, launcher, min_hosts: minHosts, restart, timeouts }) };
}

/** They are no rank's, so that no name of them is in the spec. */
const withUrls = (secrets: SecretValues, urls: Readonly<Record<string, string>>): SecretValues =>
  Object.keys(urls).length === 0 ? secrets : { ...secrets, [WEBHOOKS]: urls };

/** env_file below env: a name in both has the value of env. */
function globalVariables(file: ClusterFile, at: Positions, surroundings: Surroundings): ReturnType<typeof sortVariables> {
  const env = sortVariables(file.env ?? {}, (name) => ["env", name], at, surroundings);
  if (file.env_file === undefined) return env;
  const text = surroundings.files.read(file.env_file);
  if (!text.ok) return { ...env, problems: [...env.problems, problemIn(at, ["env_file"], `cannot read ${file.env_file}: ${text.why}`)] };
  const parsed = parseDotenv(text.text, file.env_file);
  if (!parsed.ok) return { ...env, problems: [...env.problems, ...parsed.problems] };
  const hidden = [...parsed.values].filter(([name]) => env.plain[name] === undefined);
  return { ...env, secret: { ...Object.fromEntries(hidden), ...env.secret } };
}

function rendezvous(file: ClusterFile, entries: ReturnType<typeof chooseHosts>["entries"]): RunSpec["rdzv"] | "excluded" {
  const endpoint = file.rdzv === undefined ? null : parseEndpoint(file.rdzv);
  if (endpoint === null || !endpoint.ok) return null;
  const { host, port } = endpoint.value;
  const name = nameIn(entries, host);
  return typeof name === "string" ? { host: name, port } : "excluded";
}

/** The name in the run of a host of the file; undefined: it is not among them. */
const nameIn = (entries: ReturnType<typeof chooseHosts>["entries"], host: string | null): string | null | undefined =>
  host === null ? null : entries.find((one) => one.name === host || one.host === host || one.address === host)?.name;

function defaultName(path: string): string {
  const base = (path.split("/").at(-1) ?? "").replace(/\.ya?ml$/i, "");
  return (
    base
      .replace(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 64) || "run"
  );
}

function definedPaths({ scratch, durable, shared, checkpoints }: NonNullable<ClusterFile["paths"]>): RunSpec["paths"] {
  return {
    ...(scratch === undefined ? {} : { scratch }),
    ...(durable === undefined ? {} : { durable }),
    ...(shared === undefined ? {} : { shared }),
    ...(checkpoints === undefined ? {} : { checkpoints }),
  };
}
