/** Who keeps the GPUs of a host, in words for a person. */

import { commandOn } from "../diag/cure.ts";
import type { HostSpec } from "../spec.ts";
import type { Keeper } from "./claim.ts";

const MANY = 6;

/** "GPU 0, 1: run train_… (model) of ann; GPU 2: python (pid 812, user bob, 14000 MiB)". */
export function keeperWords(busy: readonly Keeper[]): string {
  const gpusOf = new Map<string, string[]>();
  for (const one of busy) {
    const who = whoIs(one);
    gpusOf.set(who, [...(gpusOf.get(who) ?? []), ...("gpu" in one && one.gpu != null ? [`${one.gpu}`] : [])]);
  }
  const words = [...gpusOf].map(([who, gpus]) => (gpus.length === 0 ? who : `GPU ${gpus.join(", ")}: ${who}`));
  return [...words.slice(0, MANY), ...(words.length > MANY ? [`and ${words.length - MANY} more`] : [])].join("; ");
}

function whoIs(one: Keeper): string {
  const of = one.user == null ? "" : ` of ${one.user}`;
  switch (one.kind) {
    case "run":
      return `${runWords(one)}${of}${askerWords(one)}`;
    case "queue":
      return `${runWords(one)}${of}${askerWords(one)} waits for GPUs there since before`;
    case "process": {
      if (one.pid === null) return `${one.memoryMiB} MiB of it are in use by processes that are not shown there (of another container?)`;
      const about = [`pid ${one.pid}`, one.user == null ? "of a user that is not shown there" : `user ${one.user}`];
      return `${one.process} (${[...about, ...(one.memoryMiB == null ? [] : [`${one.memoryMiB} MiB`])].join(", ")})`;
    }
    case "lock":
      return one.pid === undefined ? "a process that cannot be seen holds its lock" : `pid ${one.pid}${of} holds its lock`;
  }
}

const runWords = ({ run, name }: { readonly run: string; readonly name: string }): string =>
  name === "" || name === run ? `run ${run}` : `run ${run} (${name})`;

/** "ann" of "ann (pid 12)": who typed `up`, where that is not the host's own name for them. */
const askerOf = ({ by = "" }: { readonly by?: string | undefined }): string => by.split(" (")[0] ?? "";
const askerWords = (one: { readonly by?: string | undefined; readonly user?: string | null | undefined }): string =>
  askerOf(one) === "" || askerOf(one) === one.user ? "" : `, asked for by ${askerOf(one)}`;

/** What ends it: all own runs, for one alone frees nothing; else the first process that a person can do something about. `there`: the run's user on the host; `here`: who asks; `at`: how the host is reached. */
export function keeperCure(busy: readonly Keeper[], host: string, there: string, here: string, at: HostSpec | null = null): string {
  const process = busy.find((one) => one.kind === "process");
  const own = busy.flatMap((one) => (one.kind === "run" && one.user === there && askerOf(one) === askerOf({ by: here }) ? [one.run] : []));
  const stops = [...new Set(own)].map((run) => `nexadist stop ${run}`).join(" && ");
  const ends = stops !== "" ? [stops] : process?.pid != null && process.user === there ? [commandOn(at, host, `kill ${process.pid}`)] : [];
  return [...ends, "nexadist up --wait starts it when they are free", ...(process === undefined ? [] : ["--force uses them beside that process"])].join(
    "; or ",
  );
}
