/** A plan as text to read and to paste: per host one block of shell that works where nothing of ours is installed. */

import type { HostFacts, HostSpec, RunSpec } from "../spec.ts";
import { type ArgvPart, wordsOf } from "./argv.ts";
import { planAttempt } from "./plan.ts";
import { quote, quoteAll } from "./quote.ts";
import type { AttemptPlan, HostPlan, PlannedProcess, PlanVar, Unset } from "./types.ts";

/** Ports where the file names none and no shim has chosen. */
const DRY_PORTS = { rdzv: 29_500, master: 29_501 } as const;

/** The plan that `up` would make, without a shim, an agent or a prepared host. `facts` null: the host was not asked. */
export function planDryRun(
  spec: RunSpec,
  factsOf: (host: string) => HostFacts | null,
  addressesOf?: (host: string) => readonly string[] | undefined,
): AttemptPlan {
  const named = spec.rdzv?.port || null;
  const ports = { rdzv: named ?? DRY_PORTS.rdzv, master: spec.launcher === "torchrun" ? DRY_PORTS.master : (named ?? DRY_PORTS.rdzv) };
  return planAttempt({
    spec,
    hosts: spec.hosts
      .filter((host) => !spec.spares.includes(host.name))
      .map((host) => {
        const addresses = addressesOf?.(host.name);
        return {
          host,
          facts: factsOf(host.name),
          dirs: { bundle: null, attempt: "", socket: "", job: workingDirectory(spec, host), scratch: null },
          python: null,
          ...(addresses === undefined ? {} : { addresses }),
        };
      }),
    attempt: 0,
    rdzvId: `${spec.run}-0`,
    ports,
    cpuOnly: false,
  });
}

/** Known where nothing travels; a snapshot's copy on an SSH host has no name before the run. */
function workingDirectory(spec: RunSpec, host: HostSpec): string | null {
  if (spec.code.kind === "in-place") return spec.code.dir;
  return spec.code.kind === "snapshot" && host.transport === "local" ? spec.code.root : null;
}

export const formatDryRun = (plan: AttemptPlan): string => plan.hosts.map((host) => formatHost(plan, host)).join("\n");

export function formatHost(plan: AttemptPlan, host: HostPlan): string {
  const lines = [
    `# host ${oneLine(host.name)}  ${rankRange(host)} of ${plan.worldSize}, launcher ${plan.launcher}`,
    ...host.notes.map((note) => `# ${oneLine(note)}`),
  ];
  const body: string[] = [];
  if (host.cwd === null) lines.push("# start it in a directory that holds the job's code; nexadist would send it");
  const [first] = host.processes;
  if (host.processes.some((each) => commandOf(each).includes("$NEXADIST_BUNDLE"))) {
    body.push(`: "\${NEXADIST_BUNDLE:?set it to the directory of smoke_train.py, from python/ of nexadist}"`);
  }
  body.push(...unsetLines(host.unset));
  body.push(...exportLines(host.vars));
  const { pasted } = host;
  if (pasted !== null) body.push(`${pasted.variable}=$(mktemp -d)/${pasted.fileName}`, `printf %s ${quote(pasted.content)} >"$${pasted.variable}" || exit`);
  if (host.processes.length === 1 && first !== undefined) body.push(...exportLines(visible(first)), ...partLines(first), commandOf(first));
  else body.push(...together(host.processes));
  // Verbatim: an indent would change a here-document.
  const setup = host.setup === null ? [] : setupLines(host.setup);
  const start = host.cwd === null ? [] : [`cd ${directory(host.cwd)} || exit`];
  return [...lines, "(", ...indented(start), ...setup, ...indented(body), ")", ""].join("\n");
}

/** As the agent runs it: a command that fails at the top level ends all, those in functions and in files that it sources do not. */
const setupLines = (setup: string): string[] => [
  "# setup of the file, for `bash -l`: a line that fails ends the start, except inside functions and sourced files",
  ': "${BASH_VERSION:?setup is for bash: paste this into bash -l}"',
  'nexa_at=${BASH_SOURCE[0]-}; trap \'nexa_status=$?; [ "${BASH_SOURCE[0]-}" != "$nexa_at" ] || exit $nexa_status\' ERR',
  setup.trimEnd(),
  "trap - ERR; unset nexa_at nexa_status",
];

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** Relative ones start at the home there. */
const directory = (path: string): string => (path.startsWith("/") ? quote(path) : `"$HOME"/${quote(path.replace(/^~\//, ""))}`);

/** A plan for a file or a script. */
export const formatPlanJson = (plan: AttemptPlan): string => `${JSON.stringify(dryRunJson(plan), null, 2)}\n`;

/** For `--json`: `command` is what a person would type, `argv` what the shim starts (null in a dry run). */
export function dryRunJson(plan: AttemptPlan): unknown {
  return {
    schema: 1,
    run: plan.run,
    launcher: plan.launcher,
    worldSize: plan.worldSize,
    hosts: plan.hosts.map((host) => ({
      host: host.name,
      ranks: host.ranks.map(({ rank }) => rank),
      gpus: host.gpus,
      cwd: host.cwd,
      setup: host.setup,
      unset: host.unset,
      env: host.vars.map(shown),
      processes: host.processes.map((each, k) => ({
        rank: each.rank,
        localRank: each.localRank,
        env: visible(each).map(shown),
        command: commandOf(each),
        parts: each.plain.map(({ words, reason }) => ({ text: textOf(words), reason })),
        argv: host.spawns[k]?.argv ?? null,
      })),
      files: host.pasted === null ? [] : [host.pasted],
      notes: host.notes,
      shell: formatHost(plan, host),
    })),
  };
}

const shown = (each: PlanVar) => ({ name: each.name, value: "value" in each ? each.value : `$${each.name}`, secret: "secret" in each, reason: each.reason });

const textOf = (words: ArgvPart["words"]): string => quoteAll(words).join(" ");

const commandOf = (each: PlannedProcess): string => textOf(wordsOf(each.plain));

/** Comments above the command: it stays one line that can be pasted alone. */
const partLines = ({ plain }: PlannedProcess): string[] => plain.map(({ words, reason }) => `#   ${oneLine(textOf(words))}  ${oneLine(reason)}`);

/** What carries the configuration of accelerate to its file is of no use in a paste, where the file is made by hand. */
const visible = (each: PlannedProcess): readonly PlanVar[] => each.vars.filter(({ name }) => !name.startsWith("NEXADIST_"));

/** Each rank in the background with its own variables; the block fails when one of them does. */
function together(processes: readonly PlannedProcess[]): string[] {
  const [first] = processes;
  const lines = [...(first === undefined ? [] : partLines(first)), "pids="];
  for (const each of processes) {
    lines.push(`( # rank ${each.rank}`, ...exportLines(visible(each)).map((line) => `  ${line}`), `  exec ${commandOf(each)}`, ") &", 'pids="$pids $!"');
  }
  return [...lines, "failed=0", "for pid in $pids; do wait $pid || failed=1; done", "exit $failed"];
}

function unsetLines(unset: readonly Unset[]): string[] {
  const names = unset.filter(({ pattern }) => !pattern.endsWith("*")).map(({ pattern }) => pattern);
  // NEXADIST_BUNDLE is what the person who pastes may have set.
  const prefixes = unset.filter(({ pattern }) => pattern.endsWith("*") && !pattern.startsWith("NEXADIST_")).map(({ pattern }) => pattern.slice(0, -1));
  return [
    "# inherited values that would confuse a launcher or a library",
    `unset ${names.join(" ")}`,
    `for name in $(env | sed -nE 's/^((${prefixes.join("|")})[A-Za-z0-9_]*)=.*/\\1/p'); do unset "$name"; done`,
  ];
}

/** A secret is the person's to have exported; the block says so at its start, and never shows a value. */
const exportLines = (vars: readonly PlanVar[]): string[] =>
  vars.map((each) => `export ${each.name}=${"value" in each ? quote(each.value) : `"$${each.name}"`}  # ${oneLine(each.reason)}`);

const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, " ");

function rankRange({ ranks }: HostPlan): string {
  const [first, last] = [ranks[0]?.rank ?? 0, ranks.at(-1)?.rank ?? 0];
  return first === last ? `rank ${first}` : `ranks ${first}-${last}`;
}
