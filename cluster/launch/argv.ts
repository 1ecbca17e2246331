/** A command line in parts, each with its reason. */

import type { ShellText } from "./quote.ts";

/** Words that belong together, such as an option and its value. */
export type ArgvPart = { readonly words: readonly (string | ShellText)[]; readonly reason: string };

export const wordsOf = (parts: readonly ArgvPart[]): (string | ShellText)[] => parts.flatMap(({ words }) => words);

/** One option: `--name=value`, or `--name value` given as two words. */
export const option = (reason: string, ...words: readonly (string | ShellText)[]): ArgvPart => ({ words, reason });
