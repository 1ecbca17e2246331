/** What the word that is being typed can be, from the command table and the words before it. Pure. */

import type { CommandSpec, OptionSpec } from "./command-spec.ts";

export type Kind = "runs" | "hosts" | "ranks" | "files" | "paths" | "streams" | "checks" | "keys" | "codes" | "shells" | "uis";
export type Choice = readonly [string, string];

export type Wanted =
  | { readonly kind: "these"; readonly choices: readonly Choice[] }
  /** `before`: what stands in front of the value in the same word, such as `--rank=`. */
  | { readonly kind: Kind; readonly before: string; readonly file: string | null; readonly run: string | null }
  | { readonly kind: "nothing" };

const NOTHING: Wanted = { kind: "nothing" };

/** By the name of an argument or of an option's value in the table. */
const KINDS: Readonly<Record<string, Kind>> = {
  "[file]": "files",
  "<file>": "files",
  "[run]": "runs",
  "<run>": "runs",
  "<host>": "hosts",
  "<ranks>": "ranks",
  "<rank>": "ranks",
  "<stream>": "streams",
  "<check>": "checks",
  "<key=value>": "keys",
  "[what]": "codes",
  "<paths...>": "paths",
  "<shell>": "shells",
  "<how>": "uis",
};

type Option = { readonly flags: readonly string[]; readonly value: string | null; readonly about: string; readonly isMany: boolean };

function optionOf([text, about, many]: OptionSpec): Option {
  const value = /[<[][^>\]]+[>\]]/.exec(text)?.[0] ?? null;
  return { flags: text.split(/[ ,=]+/).filter((word) => word.startsWith("-")), value, about, isMany: many === "many" };
}

/** `words`: those behind the program's name; the last is the one that is being typed, "" when it is not begun. */
export function whatCompletes(words: readonly string[], commands: readonly CommandSpec[], globals: readonly OptionSpec[]): Wanted {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  if (before.includes("--")) return { kind: "files", before: "", file: null, run: null };

  const named: string[] = [];
  const given = new Map<string, string>();
  const used = new Set<string>();
  let spec: CommandSpec | undefined;
  let positional: string[] = [];
  let waiting: Option | null = null;
  const known = (): readonly Option[] => [...(spec?.options ?? []), ...globals].map(optionOf);
  const find = (flag: string): Option | undefined => known().find(({ flags }) => flags.includes(flag));
  for (const word of before) {
    if (waiting !== null) {
      given.set(waiting.flags.at(-1) ?? "", word);
      waiting = null;
    } else if (word.startsWith("-")) {
      const [flag = "", value] = word.split(/=(.*)/s);
      const option = find(flag);
      if (option === undefined) continue;
      for (const each of option.flags) used.add(each);
      if (value !== undefined) given.set(option.flags.at(-1) ?? "", value);
      else if (option.value?.startsWith("<") === true) waiting = option;
    } else if (spec === undefined) {
      named.push(word);
      spec = commands.find(({ name }) => name === named.join(" "));
      positional = [];
    } else positional.push(word);
  }
  const file = given.get("--cluster") ?? (spec?.args[0]?.[0] === "[file]" ? positional[0] : undefined) ?? null;
  const run = /^[[<]run[\]>]$/.test(spec?.args[0]?.[0] ?? "") ? (positional[0] ?? null) : null;
  const values = (name: string | null | undefined, prefix: string): Wanted => {
    const kind = name == null ? undefined : KINDS[name];
    return kind === undefined ? NOTHING : { kind, before: prefix, file, run };
  };

  if (waiting !== null) return values(waiting.value, "");
  const assigned = /^(--[\w-]+=)/.exec(current)?.[1];
  if (assigned !== undefined) return values(find(assigned.slice(0, -1))?.value, assigned);
  if (current.startsWith("-")) {
    const free = known().filter(({ flags, isMany }) => isMany || !flags.some((flag) => used.has(flag)));
    return { kind: "these", choices: free.map(({ flags, about }): Choice => [flags.at(-1) ?? "", about]) };
  }
  if (spec === undefined) return { kind: "these", choices: nextWords(named, commands) };
  const argument = spec.args[positional.length]?.[0] ?? (spec.args.at(-1)?.[0].includes("...") === true ? spec.args.at(-1)?.[0] : undefined);
  return values(argument, "");
}

function nextWords(named: readonly string[], commands: readonly CommandSpec[]): readonly Choice[] {
  const fits = commands.map((each) => ({ ...each, words: each.name.split(" ") })).filter(({ words }) => named.every((word, k) => words[k] === word));
  const found = new Map<string, string>();
  for (const { words, about, group } of fits) {
    const word = words[named.length];
    if (word !== undefined && !found.has(word)) found.set(word, words.length > named.length + 1 ? (group ?? about) : about);
  }
  return [...found];
}
