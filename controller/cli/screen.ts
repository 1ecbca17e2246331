/** Two streams that may be one terminal: finished lines scroll by, live lines are redrawn below them. */

import { fitTo } from "../../cluster/view/table.ts";
import { foldLines, type LiveLine } from "./live-hosts.ts";

export type Screen = {
  /** A finished line on stdout. */
  readonly out: (line: string) => void;
  /** A finished line on stderr. */
  readonly err: (line: string) => void;
  /** What stands below; an empty list takes it away. Only where stderr is a terminal. */
  readonly live: (lines: readonly LiveLine[]) => void;
  /** While held, finished lines wait: a question stands there. */
  readonly hold: (isHeld: boolean) => void;
  /** What rings the terminal and takes no room on it. Only where something live may stand. */
  readonly ring: (sequence: string) => void;
  readonly hasLive: boolean;
};

const UP = "\u001b[1A";
/** To the end of the screen: the terminal's own echo of a key, such as ^C, stands below what we drew. */
const CLEAR = "\r\u001b[J";

type Stream = { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number; write(text: string): boolean };

export function createScreen(stdout: Stream, stderr: Stream, wantsLive: boolean): Screen {
  const hasLive = wantsLive && stderr.isTTY === true;
  let wanted: readonly LiveLine[] = [];
  let drawn = 0;
  let held: (() => void)[] | null = null;

  const erase = (): void => {
    if (drawn > 0) stderr.write(UP.repeat(drawn) + CLEAR);
    drawn = 0;
  };
  const draw = (): void => {
    const columns = Math.max(20, stderr.columns ?? 80) - 1;
    // Six rows stay for what scrolls by above, and for the question of Ctrl-C.
    const shown = foldLines(wanted, Math.max(3, (stderr.rows ?? 24) - 6));
    if (shown.length > 0) stderr.write(`${shown.map((line) => fitTo(line, columns)).join("\n")}\n`);
    drawn = shown.length;
  };
  const finish = (stream: Stream, line: string): void => {
    const act = (): void => {
      const isOver = drawn > 0;
      if (isOver) erase();
      stream.write(`${line}\n`);
      if (isOver) draw();
    };
    if (held === null) act();
    else held.push(act);
  };
  return {
    hasLive,
    out: (line) => finish(stdout, line),
    err: (line) => finish(stderr, line),
    live: (lines) => {
      if (!hasLive) return;
      wanted = lines;
      if (held !== null) return;
      erase();
      draw();
    },
    ring: (sequence) => {
      if (hasLive) stderr.write(sequence);
    },
    hold: (isHeld) => {
      if (isHeld === (held !== null)) return;
      if (isHeld) {
        erase();
        held = [];
        return;
      }
      const waiting = held ?? [];
      held = null;
      for (const act of waiting) act();
      erase();
      draw();
    },
  };
}
