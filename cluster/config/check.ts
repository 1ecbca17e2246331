/** What the schema cannot say: how the keys of a cluster file fit each other. */

import { foldLauncher, LEGAL } from "./backends.ts";
import { checkRecovery } from "./check-recovery.ts";
import { addressMismatch, type HostEntry, hostEntries, writtenEntry } from "./entries.ts";
import { expandRange, MAX_HOSTS } from "./host-range.ts";
import { type Positions, problemIn, whereIs } from "./located.ts";
import { nearest } from "./nearest.ts";
import { type ConfigProblem, locate, type Path } from "./problem.ts";
import { parseEndpoint } from "./rendezvous.ts";
import type { ClusterFile } from "./schema.ts";
import { splitCommand } from "./words.ts";

export function checkMeaning(file: ClusterFile, at: Positions): readonly ConfigProblem[] {
  const many = firstTooMany(file);
  if (many !== null) return [problemIn(at, many, `more than ${MAX_HOSTS} hosts in all`)];
  return [
    ...checkLauncher(file, at),
    ...checkJob(file, at),
    ...checkEntries(file, at),
    ...checkDuplicates(file, at),
    ...checkCounts(file, at),
    ...checkRecovery(file, at),
  ];
}

/** The entry that is one too many; nothing else is looked at then, so that a slip costs no time. */
function firstTooMany({ cluster, spares = [] }: ClusterFile): Path | null {
  if (typeof cluster === "string") return null;
  let count = 0;
  for (const [list, entries] of [["cluster", cluster] as const, ["spares", spares] as const]) {
    for (const [index, { host }] of entries.entries()) {
      const expanded = expandRange(host);
      count += expanded.ok ? expanded.names.length : 1;
      if (count > MAX_HOSTS) return [list, index, "host"];
    }
  }
  return null;
}

function checkLauncher({ backend, launcher }: ClusterFile, at: Positions): ConfigProblem[] {
  if (backend === undefined || launcher === undefined || foldLauncher(backend, launcher) !== null) return [];
  return [problemIn(at, ["launcher"], `backend ${backend} cannot use launcher ${launcher}`, { hint: `${backend} goes with ${LEGAL[backend].join(", ")}` })];
}

function checkJob({ backend, launcher, job }: ClusterFile, at: Positions): ConfigProblem[] {
  if (job === undefined) return [];
  const problems: ConfigProblem[] = [];
  const add = (path: Path, message: string, hint?: string): void => {
    problems.push(problemIn(at, path, message, { key: true, ...(hint === undefined ? {} : { hint }) }));
  };
  const acting = foldLauncher(backend, launcher);
  const kinds = (["script", "module", "command"] as const).filter((key) => job[key] !== undefined);
  if (kinds.length > 1) add(["job", kinds[1] ?? ""], `a job is one of script, module and command, and ${kinds[0]} is here too`);
  if (kinds.length === 0 && job.args !== undefined) add(["job", "args"], "args of what? script, module or command is missing");
  if (acting === "command" && (job.script ?? job.module) !== undefined) {
    add(["job", kinds[0] ?? "script"], "backend command runs `job.command`", "use backend direct or torch.distributed for a Python script");
  }
  if (job.per !== undefined && acting !== "command")
    add(["job", "per"], "only backend command counts per host or per gpu", "other backends start one process per GPU or slot");
  if (job.accelerate_config !== undefined && acting !== "accelerate") {
    add(["job", "accelerate_config"], `launcher ${acting} would not read it`, "add `backend: accelerate`");
  }
  if (typeof job.command === "string") {
    const words = splitCommand(job.command);
    if (!words.ok) add(["job", "command"], words.why, "for shell syntax write a list: [bash, -c, '…']");
  }
  if (Array.isArray(job.command) && job.command[0] === "") add(["job", "command"], "the first word is empty");
  return problems;
}

function checkEntries(file: ClusterFile, at: Positions): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  let before: HostEntry | undefined;
  for (const each of hostEntries(file)) {
    const { list, index, keys } = each;
    const isSame = before?.list === list && before.index === index;
    before = each;
    const entry = writtenEntry(file, each);
    if (isSame || entry === undefined) continue;
    const place = (key: keyof typeof entry): Path =>
      entry[key] !== undefined || at.get(`defaults\0${key}`) === undefined ? [list, index, key] : ["defaults", key];
    const mismatch = addressMismatch(keys, entry.host);
    if (mismatch !== null)
      problems.push(problemIn(at, place("address"), `${mismatch.addresses} address${mismatch.addresses === 1 ? "" : "es"} for ${mismatch.hosts} hosts`));
    if (keys.gpus === 0 && keys.slots === undefined) problems.push(problemIn(at, place("gpus"), "gpus: 0 needs `slots: N`, the number of CPU ranks"));
    if (keys.slots !== undefined && keys.gpus !== 0) {
      problems.push(problemIn(at, place("slots"), "slots are CPU ranks and need `gpus: 0`", { key: true }));
    }
    for (const key of ["user", "port", "identity"] as const) {
      if (entry[key] !== undefined && keys.transport === "local")
        problems.push(problemIn(at, [list, index, key], "transport local uses no SSH", { key: true }));
    }
  }
  return problems;
}

function checkDuplicates(file: ClusterFile, at: Positions): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const first = new Map<string, Path>();
  for (const { list, index, host, keys } of hostEntries(file)) {
    const identity = keys.transport === "local" ? `local\0${host}` : `ssh\0${host.toLowerCase()}\0${keys.user ?? ""}\0${keys.port ?? 22}`;
    const before = first.get(identity);
    if (before === undefined) first.set(identity, [list, index, "host"]);
    else problems.push(problemIn(at, [list, index, "host"], `${host} is here already, at ${place(at, before)}`));
  }
  return problems;
}

function place(at: Positions, path: Path): string {
  const where = whereIs(at, path);
  if (where === undefined) return "another entry";
  const { line, column } = locate(where.source.text, where.value);
  return `${where.source.name}:${line}:${column}`;
}

function checkCounts(file: ClusterFile, at: Positions): ConfigProblem[] {
  const all = hostEntries(file);
  const hosts = all.filter(({ list }) => list === "cluster");
  if (hosts.length === 0) return [];
  const problems: ConfigProblem[] = [];
  if (file.min_hosts !== undefined && file.min_hosts > hosts.length) {
    problems.push(
      problemIn(at, ["min_hosts"], `${file.min_hosts} hosts are required, but there ${hosts.length === 1 ? "is 1 host" : `are ${hosts.length} hosts`}`),
    );
  }
  const endpoint = file.rdzv === undefined ? null : parseEndpoint(file.rdzv);
  if (endpoint?.ok) {
    const { host } = endpoint.value;
    const names = [...new Set(hosts.flatMap((entry) => [entry.host, entry.address]))];
    const isSpare = all.some((entry) => entry.list === "spares" && (entry.host === host || entry.address === host));
    if (!names.includes(host) && isSpare) {
      problems.push(
        problemIn(at, ["rdzv"], `${host} is a spare, which takes part only when another host is lost`, {
          hint: `name one of: ${names.slice(0, 8).join(", ")}`,
        }),
      );
    } else if (!names.includes(host)) {
      const close = nearest(host, names);
      problems.push(
        problemIn(at, ["rdzv"], `${host} is none of the hosts`, {
          hint: close === null ? `name one of: ${names.slice(0, 8).join(", ")}` : `did you mean ${close}?`,
        }),
      );
    }
    // --host and --exclude keep the order of the file, so what is said here holds for every choice of hosts.
    const acting = foldLauncher(file.backend, file.launcher);
    const index = hosts.findIndex((entry) => entry.host === host || entry.address === host);
    if (index > 0 && acting !== null && acting !== "torchrun") {
      problems.push(
        problemIn(at, ["rdzv"], `launcher ${acting} has its store where rank 0 is: on ${hosts[0]?.host ?? ""}, the first host`, {
          hint: `put ${host} first in \`cluster\`${foldLauncher(file.backend, "torchrun") === null ? "" : ", or use `launcher: torchrun`"}`,
        }),
      );
    }
  }
  return problems;
}
