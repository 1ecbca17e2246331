/** Commands of ours in a cure name the cluster file, so that they can be pasted anywhere. */

import { quote } from "../launch/quote.ts";

/** Those that are about a cluster file, and the file in its place where the text leaves it open. */
const ABOUT_A_FILE =
  /\bnexadist ((?:diag|exec|hosts|up|audit|drill|agent (?:status|upgrade|uninstall)|config (?:show|validate)) FILE\b(?!…)|(?:diag|exec|hosts|up|audit|drill|cp|shell|agent (?:status|upgrade|uninstall)|config (?:show|validate))(?=$|[ ;,)])(?! (?:-c|--cluster) )(?! ?'[^']*\.ya?ml'| ?\S+\.ya?ml\b))/g;

/** `file`: as it was given, or absolute; null: there is none to name. */
export const withFile = (text: string, file: string | null): string =>
  file === null
    ? text
    : text.replace(ABOUT_A_FILE, (all, command: string, at: number) => {
        if (text.startsWith(` ${quote(file)}`, at + all.length)) return all;
        return command.endsWith(" FILE") ? `${all.slice(0, -"FILE".length)}${quote(file)}` : `${all} -c ${quote(file)}`;
      });
