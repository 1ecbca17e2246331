/** Commands of ours in a cure name the cluster file, so that they can be pasted anywhere. */

import { quote } from "../launch/quote.ts";

const ABOUT_A_FILE = /\bnexadist (diag|exec|hosts|up|agent uninstall)(?= )(?! FILE)/g;

/** `file`: as it was given, or absolute; null: there is none to name. */
export const withFile = (text: string, file: string | null): string =>
  file === null ? text : text.replace(ABOUT_A_FILE, (_, command: string) => `nexadist ${command} -c ${quote(file)}`);
