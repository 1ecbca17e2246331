/** What rings the terminal of a viewer: the bell, and the sequence for notices that this terminal is known to take. Pure. */

import { sanitiseWord } from "../sanitise.ts";
import type { Notice } from "./notice.ts";

const BEL = "\u0007";
const OSC = "\u001b]";
const ST = "\u001b\\";
/** Longer ones are cut by desktops. In characters. */
const TEXT_MAX = 200;

/** Inside tmux and screen only the bell comes through; terminals that take neither sequence pass over it. */
export function bellOf({ text }: Notice, env: Readonly<Record<string, string | undefined>>): string {
  const { TERM = "", TMUX, STY, VTE_VERSION } = env;
  if (TERM === "" || TERM === "dumb" || TERM === "linux" || TMUX !== undefined || STY !== undefined) return BEL;
  // A semicolon parts the fields of 777, and begins a command of ConEmu's after 9.
  const words = sanitiseWord(text.slice(0, TEXT_MAX)).replaceAll(";", ",");
  const takes777 = VTE_VERSION !== undefined || /^(rxvt|foot)/.test(TERM);
  return `${BEL}${OSC}${takes777 ? `777;notify;nexadist;${words}` : `9;${words}`}${ST}`;
}
