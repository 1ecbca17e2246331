/** What completion knows of this machine: runs, hosts, ranks. From files alone, in a blink: no controller is asked or started, nothing is said when something cannot be read. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { expandRange, splitOutsideBrackets } from "../../cluster/config/host-range.ts";
import { runDir, runsDir } from "../paths.ts";
import type { Choice } from "./complete-what.ts";

/** More would scroll the screen away. */
const RUNS_MOST = 100;
const RANKS_MOST = 256;
/** A cluster file is far below. */
const FILE_MOST = 1024 * 1024;

type Manifest = {
  readonly name?: string;
  readonly status?: string;
  readonly world_size?: number;
  readonly hardware?: readonly { readonly host: string }[];
  readonly job?: string;
};

function read<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** Newest first. */
function runNames(): readonly string[] {
  const names = read(() => readdirSync(runsDir()), []);
  const dated = names.map((name) => ({ name, at: read(() => statSync(join(runsDir(), name)).birthtimeMs, 0) }));
  return dated.sort((a, b) => b.at - a.at || (a.name < b.name ? 1 : -1)).map(({ name }) => name);
}

const manifestOf = (run: string): Manifest => read(() => JSON.parse(readFileSync(join(runDir(run), "manifest.json"), "utf8")) as Manifest, {});

export function listRuns(): readonly Choice[] {
  const names = runNames();
  const rows = names.slice(0, RUNS_MOST).map((name): Choice => {
    const { status = "", job = "" } = manifestOf(name);
    return [name, [status, job].filter((word) => word !== "").join(": ")];
  });
  return names.length === 0 ? [] : [...rows, ["latest", "the newest of them"]];
}

/** The run that is meant: an id, the beginning of one, or the newest. */
function meant(run: string | null): Manifest {
  const names = runNames();
  const name = run === null || run === "latest" ? names[0] : names.find((each) => each.startsWith(run));
  return name === undefined ? {} : manifestOf(name);
}

export function listRanks(run: string | null): readonly Choice[] {
  const { world_size: world = 0 } = meant(run);
  return world === 0 ? [] : [["all", ""], ...Array.from({ length: Math.min(world, RANKS_MOST) }, (_, rank): Choice => [String(rank), ""])];
}

/** Of the cluster file; where there is none, of the run, else of ssh's configuration. */
export function listHosts(cwd: string, file: string | null, run: string | null): readonly Choice[] {
  const inFile = read(() => hostsIn(textOf(resolve(cwd, file ?? "cluster.yaml"))), []);
  if (inFile.length > 0) return inFile.map((host): Choice => [host, ""]);
  const ofRun = (meant(run).hardware ?? []).map(({ host }) => host);
  return (ofRun.length > 0 ? ofRun : read(() => hostsOfSsh(textOf(join(homedir(), ".ssh/config"))), [])).map((host): Choice => [host, ""]);
}

const textOf = (path: string): string => (statSync(path).size > FILE_MOST ? "" : readFileSync(path, "utf8"));

/** A look at the text, not at the YAML: the file may be half written, and a parser would take longer than everything else here. */
export function hostsIn(text: string): readonly string[] {
  const bare = text.replace(/(^|\s)#.*$/gm, "$1");
  const named = [...bare.matchAll(/(?:^|[\s{,-])host:\s*["']?([\w.@:-]+(?:\[[\d,-]+\][\w.-]*)*)/gm)].map(([, host = ""]) => host);
  const short = /^cluster:[ \t]*\[([^{}]*)\][ \t]*$/m.exec(bare)?.[1] ?? "";
  const listed = [...bare.matchAll(/^\s*-\s+["']?([\w.-]+(?:\[[\d,-]+\][\w.-]*)*)["']?\s*$/gm)].map(([, host = ""]) => host);
  const all = [...named, ...splitOutsideBrackets(short), ...(named.length === 0 ? listed : [])];
  return [...new Set(all.flatMap((host) => read(() => namesOf(host), [])))];
}

const namesOf = (text: string): readonly string[] => {
  const expanded = expandRange(text);
  return expanded.ok ? expanded.names : [];
};

/** Those that name one host. */
export const hostsOfSsh = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(/^\s*Host\s+(.+)$/gim)].flatMap(([, names = ""]) => names.split(/\s+/)).filter((name) => name !== "" && !/[*?!]/.test(name))),
];
