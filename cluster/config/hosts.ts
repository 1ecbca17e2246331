/** The entries of a cluster file to the hosts of a run. */

import type { GpuRequest, HostSpec } from "../spec.ts";
import { isSetupFile } from "./controller-paths.ts";
import { type HostEntry, hostEntries, writtenEntry } from "./entries.ts";
import { expandRange, splitOutsideBrackets } from "./host-range.ts";
import { type Positions, problemIn } from "./located.ts";
import { nearest } from "./nearest.ts";
import { type ConfigProblem, type Path, problemAt } from "./problem.ts";
import type { ClusterFile, HostKeys } from "./schema.ts";
import { type Surroundings, sortVariables } from "./secrets.ts";

export type NamedEntry = HostEntry & { readonly name: string };
export type Hosts = {
  readonly hosts: readonly HostSpec[];
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly problems: readonly ConfigProblem[];
};

/** The host as it is written, or with user and port where two entries are one machine. */
export function namedEntries(file: ClusterFile): readonly NamedEntry[] {
  const entries = hostEntries(file);
  const count = new Map<string, number>();
  for (const { host } of entries) count.set(host, (count.get(host) ?? 0) + 1);
  return entries.map((entry) => {
    const { user, port, transport } = entry.keys;
    const twice = (count.get(entry.host) ?? 0) > 1;
    if (!twice) return { ...entry, name: entry.host };
    const at = user === undefined ? entry.host : `${user}@${entry.host}`;
    return { ...entry, name: transport === "local" ? `local-${entry.host}` : port === undefined ? at : `${at}-${port}` };
  });
}

export type Choice = { readonly hosts: readonly string[]; readonly exclude: readonly string[] };

/** What `--host` and `--exclude` leave, in the order of the file. */
export function chooseHosts(
  all: readonly NamedEntry[],
  { hosts, exclude }: Choice,
): { readonly entries: readonly NamedEntry[]; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const match = (flag: string, texts: readonly string[]): Set<NamedEntry> => {
    const found = new Set<NamedEntry>();
    for (const text of texts) {
      for (const pattern of splitOutsideBrackets(text)) {
        const expanded = expandRange(pattern);
        const isName = all.some((entry) => entry.name === pattern || entry.address === pattern);
        if (!expanded.ok && !isName) {
          problems.push(problemAt({ name: flag, text }, text.indexOf(pattern), [], expanded.why));
          continue;
        }
        for (const name of expanded.ok ? expanded.names : [pattern]) {
          const hits = all.filter((entry) => entry.name === name || entry.host === name || entry.address === name);
          for (const hit of hits) found.add(hit);
          if (hits.length > 0) continue;
          const names = all.map((entry) => entry.name);
          const close = nearest(name, names);
          problems.push(
            problemAt(
              { name: flag, text },
              text.indexOf(pattern),
              [],
              `${name} is none of the hosts`,
              close === null ? `name some of: ${names.slice(0, 8).join(", ")}` : `did you mean ${close}?`,
            ),
          );
        }
      }
    }
    return found;
  };
  const wanted = match("--host", hosts);
  const unwanted = match("--exclude", exclude);
  const entries = all.filter((entry) => (hosts.length === 0 || wanted.has(entry)) && !unwanted.has(entry));
  if (!entries.some(({ list }) => list === "cluster") && problems.length === 0) {
    const [flag, texts] = exclude.length > 0 ? (["--exclude", exclude] as const) : (["--host", hosts] as const);
    problems.push(problemAt({ name: flag, text: texts.join(",") }, 0, [], entries.length === 0 ? "no host is left" : "no host but spares is left"));
  }
  return { entries, problems };
}

export function hostSpecs(entries: readonly NamedEntry[], file: ClusterFile, at: Positions, surroundings: Surroundings): Hosts {
  const problems: ConfigProblem[] = [];
  const secrets: Record<string, Readonly<Record<string, string>>> = {};
  const hosts = entries.map(({ list, index, host, name, address, keys }): HostSpec => {
    const own = writtenEntry(file, { list, index });
    const place = (key: keyof HostKeys): Path => (own?.[key] !== undefined ? [list, index, key] : ["defaults", key]);
    const env = sortVariables(
      keys.env ?? {},
      (variable) => (own?.env?.[variable] !== undefined ? [list, index, "env", variable] : ["defaults", "env", variable]),
      at,
      surroundings,
    );
    problems.push(...env.problems);
    if (Object.keys(env.secret).length > 0) secrets[name] = env.secret;
    let setup = keys.setup;
    if (setup !== undefined && isSetupFile(setup)) {
      const read = surroundings.files.read(setup);
      if (read.ok) setup = read.text;
      else
        problems.push(
          problemIn(at, place("setup"), `cannot read ${setup}: ${read.why}`, { hint: "for lines of shell instead of a file: `setup: |` and the lines below" }),
        );
    }
    const { transport = "ssh", user, port, identity, python, workdir } = keys;
    const ssh =
      transport === "ssh"
        ? { ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }), ...(identity === undefined ? {} : { identity }) }
        : {};
    return {
      name,
      ...(name === host || transport === "local" ? {} : { sshHost: host }),
      transport,
      ...ssh,
      address,
      ...(keys.interface === undefined ? {} : { interface: keys.interface }),
      ...(python === undefined ? {} : { python }),
      ...(keys.price_per_hour === undefined ? {} : { pricePerHour: keys.price_per_hour }),
      ...(setup === undefined ? {} : { setup }),
      ...(workdir === undefined ? {} : { workdir }),
      env: env.plain,
      gpus: gpuRequest(keys),
    };
  });
  return { hosts, secrets, problems };
}

function gpuRequest({ gpus = "auto", slots = 1 }: HostKeys): GpuRequest {
  if (gpus === "auto") return { kind: "auto" };
  if (typeof gpus === "number") return gpus === 0 ? { kind: "none", slots } : { kind: "count", count: gpus };
  return { kind: "list", ids: gpus.map(String) };
}
