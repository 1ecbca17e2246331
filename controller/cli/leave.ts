/** What Ctrl-C means: asks on a terminal (leaving is the default), acts without one. */

import type { ReadStream } from "node:tty";

export type Leave = "detach" | "stop" | "kill" | "back";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const ESCAPE = "\u001b";

export function leaveOf(key: string): Leave | null {
  if (key === "d" || key === "D" || key === "\r" || key === "\n" || key === CTRL_C || key === CTRL_D || key === "q") return "detach";
  if (key === "s" || key === "S") return "stop";
  if (key === "k" || key === "K") return "kill";
  return key === ESCAPE || key === "b" ? "back" : null;
}

export const QUESTION = "leave? [d] detach, run goes on (default)  [s] stop  [k] kill now  [esc] back: ";

const ERASE_LINE = "\r\u001b[2K";

/** One key; a second Ctrl-C detaches. The terminal is as before afterwards. */
export function askLeave(stdin: ReadStream, write: (text: string) => void): Promise<Leave> {
  write(`\n${QUESTION}`);
  const wasRaw = stdin.isRaw;
  stdin.setRawMode(true);
  stdin.resume();
  return new Promise((resolve) => {
    const done = (leave: Leave): void => {
      stdin.off("data", take).off("end", gone);
      stdin.setRawMode(wasRaw);
      stdin.pause();
      write(ERASE_LINE); // what follows tells what was chosen
      resolve(leave);
    };
    const gone = (): void => done("detach");
    const take = (data: Buffer | string): void => {
      const keys = String(data);
      // Keys typed quickly come together; an arrow key is one that begins with escape and means nothing here.
      const leave = keys.length > 1 && keys.startsWith(ESCAPE) ? undefined : [...keys].map(leaveOf).find((each) => each !== null);
      if (leave != null) done(leave);
    };
    stdin.on("data", take).on("end", gone);
  });
}
