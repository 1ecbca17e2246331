/** Commands that are typed after a colon: `logs gpu-b`, `gpus mem`, `stop`, `q`. Words may be cut short where one fits. Pure. */

import { sanitiseWord } from "../cluster/sanitise.ts";
import type { ActionId } from "./keys.ts";
import type { Model } from "./model.ts";
import type { ScreenId } from "./screen.ts";

export type Command =
  | { readonly do: "open"; readonly screen: ScreenId; readonly host?: string; readonly rank?: number; readonly word?: string }
  | { readonly do: "action"; readonly action: ActionId }
  | { readonly do: "watch"; readonly run: string };

export const PALETTE_WORDS: readonly (readonly [string, string])[] = [
  ["logs [WHO]", "lines of all, of a host or of a rank: logs gpu-b, logs 17"],
  ["gpus [METRIC]", "every GPU: use, mem, power, temp"],
  ["ranks, nccl", "the other screens by their names"],
  ["run RUN", "watch another run here"],
  ["stop, kill", "as s and K"],
  ["restart", "as r"],
  ["diag, stacks", "as D and h"],
  ["help, q", "as ? and q"],
];

const SCREENS: readonly ScreenId[] = ["overview", "logs", "gpus", "ranks", "nccl", "events", "runs"];
const ACTIONS: Readonly<Record<string, ActionId>> = {
  stop: "stop",
  kill: "kill",
  restart: "restart",
  diag: "diag",
  stacks: "hang",
  help: "help",
  quit: "leave",
  detach: "detach",
};
const WORDS: readonly string[] = [...SCREENS, "run", ...Object.keys(ACTIONS)];
const METRICS: readonly string[] = ["use", "mem", "power", "temp", "clock", "ecc", "nvlink"];

/** A text: what is wrong with it. */
export function parseCommand(text: string, { run, runs }: Model): Command | string {
  const [first = "", second, ...rest] = text.trim().split(/\s+/);
  if (first === "") return "type a command; ? in the screen lists them";
  if (first === "q") return { do: "action", action: "leave" };
  const word = pick(WORDS, first);
  if (word === null) return `no command begins with ${sanitiseWord(first)}`;
  if (rest.length > 0) return "one word after it is enough";
  const action = ACTIONS[word];
  if (action !== undefined) return second === undefined ? { do: "action", action } : `${word} takes nothing`;
  if (word === "run")
    return runOf(
      second,
      runs.map((one) => one.run),
    );
  const screen = word as ScreenId;
  if (second === undefined) return { do: "open", screen };
  if (screen === "gpus" && METRICS.some((metric) => metric.startsWith(second)))
    return { do: "open", screen, word: METRICS.find((metric) => metric.startsWith(second)) ?? second };
  const rank = /^r?(\d+)$/.exec(second)?.[1];
  if (rank !== undefined && run?.state.ranks[Number(rank)] !== undefined) return { do: "open", screen, rank: Number(rank) };
  const host = pick(hostsIn(run), second);
  return host === null ? `no host or rank is called ${sanitiseWord(second)}` : { do: "open", screen, host };
}

function runOf(wanted: string | undefined, runs: readonly string[]): Command | string {
  if (wanted === undefined) return "which run?";
  const run = pick(runs, wanted);
  return run === null ? `no run is called ${sanitiseWord(wanted)}` : { do: "watch", run };
}

const hostsIn = (run: Model["run"]): readonly string[] => run?.state.spec.hosts.map(({ name }) => name) ?? [];

/** The one that is meant: itself, or the only one that begins so, or the only one that ends so (`b` for node-b). */
function pick(words: readonly string[], wanted: string): string | null {
  if (words.includes(wanted)) return wanted;
  for (const fits of [words.filter((word) => word.startsWith(wanted)), words.filter((word) => word.endsWith(wanted))])
    if (fits.length > 0) return fits[0] ?? null;
  return null;
}

/** What tab makes of it: as far as all that fit agree. */
export function complete(text: string, { run, runs }: Model): { readonly text: string; readonly choices: readonly string[] } {
  const words = text.split(/\s+/);
  const last = words.at(-1) ?? "";
  const [first = ""] = words;
  const all = words.length <= 1 ? WORDS : first === "run" ? runs.map((one) => one.run) : [...hostsIn(run), ...(first.startsWith("g") ? METRICS : [])];
  const fits = all.filter((word) => word.startsWith(last));
  if (fits.length === 0) return { text, choices: [] };
  const [only = ""] = fits;
  const common = fits.reduce((shared, word) => {
    let k = 0;
    while (k < shared.length && shared[k] === word[k]) k += 1;
    return shared.slice(0, k);
  }, only);
  return { text: [...words.slice(0, -1), fits.length === 1 ? `${only} ` : common].join(" "), choices: fits.length === 1 ? [] : fits };
}
