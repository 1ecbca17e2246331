/** Reads one key from the person; the terminal is as before afterwards. */

import type { ReadStream } from "node:tty";

/** In lower case; Ctrl-C and Ctrl-D are "n". */
export function askKey(stdin: ReadStream, write: (text: string) => void, question: string): Promise<string> {
  write(question);
  const wasRaw = stdin.isRaw;
  stdin.setRawMode(true);
  stdin.resume();
  return new Promise((resolve) => {
    const done = (key: string): void => {
      stdin.off("data", take).off("end", gone);
      stdin.setRawMode(wasRaw);
      stdin.pause();
      write("\n");
      resolve(key);
    };
    const gone = (): void => done("n");
    const take = (data: Buffer | string): void => {
      const key = String(data).slice(0, 1).toLowerCase();
      done(key === "\u0003" || key === "\u0004" ? "n" : key);
    };
    stdin.on("data", take).on("end", gone);
  });
}
