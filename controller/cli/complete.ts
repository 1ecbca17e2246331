/** What the shell asks at a tab: candidates, one a line with a tab and what each is. `:files` in place of them lets the shell complete paths. Never fails, never talks. */

import { COMMANDS, GLOBALS } from "./commands.ts";
import { type Choice, type Wanted, whatCompletes } from "./complete-what.ts";

export async function complete(words: readonly string[]): Promise<void> {
  try {
    process.stdout.write(await answer(words));
  } catch {
    // A shell's prompt is no place for errors.
  }
}

async function answer(words: readonly string[]): Promise<string> {
  const wanted = whatCompletes(words, COMMANDS, GLOBALS);
  const current = words.at(-1) ?? "";
  if (wanted.kind === "nothing") return "";
  if (wanted.kind === "files") return ":files\n";
  const before = wanted.kind === "these" ? "" : wanted.before;
  const found = (await choicesOf(wanted)).map(([value, about]): Choice => [`${before}${value}`, about]).filter(([value]) => value.startsWith(current));
  const files = wanted.kind === "paths" || (wanted.kind === "codes" && found.length === 0) ? ":files\n" : "";
  return found.map(([value, about]) => `${oneLine(value)}${about === "" ? "" : `\t${oneLine(about)}`}\n`).join("") + files;
}

/** Names of files and runs may hold anything. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a prompt
const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");

async function choicesOf(wanted: Exclude<Wanted, { readonly kind: "nothing" }>): Promise<readonly Choice[]> {
  if (wanted.kind === "these") return wanted.choices;
  const { file, run } = wanted;
  const plain = (values: readonly string[]): readonly Choice[] => values.map((value): Choice => [value, ""]);
  switch (wanted.kind) {
    case "runs":
      return (await import("./complete-lists.ts")).listRuns();
    case "ranks":
      return (await import("./complete-lists.ts")).listRanks(run);
    case "hosts":
      return (await import("./complete-lists.ts")).listHosts(process.cwd(), file, run);
    case "paths":
      return (await import("./complete-lists.ts")).listHosts(process.cwd(), file, run).map(([host]): Choice => [`${host}:`, "a path there"]);
    case "keys": {
      const { keyTable } = await import("../../cluster/config/keys.ts");
      return keyTable()
        .filter(({ key, holds }) => holds === "scalar" && !/\[\]|NAME/.test(key))
        .map(({ key, what }): Choice => [`${key}=`, what]);
    }
    case "checks": {
      const { CHECKS } = await import("../../cluster/diag/catalogue.ts");
      return [...plain([...new Set(CHECKS.map(({ group }) => group))]), ...CHECKS.map(({ id, title }): Choice => [id, title])];
    }
    case "codes": {
      const [{ FINDINGS }, { ERRORS }] = await Promise.all([import("../../cluster/findings/catalogue.ts"), import("../../cluster/error-table.ts")]);
      return plain([...FINDINGS.map(({ code }) => code), ...Object.keys(ERRORS)].map((code) => code.toLowerCase()));
    }
    case "streams":
      return plain(["out", "err", "nccl", "launcher"]);
    case "shells":
      return plain(["bash", "zsh", "fish"]);
    case "uis":
      return plain(["auto", "tui", "plain", "none"]);
    case "files":
      return [];
  }
}
