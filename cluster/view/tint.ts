/** Colours for a finished line of a table or a summary, by what its words mean. The words alone say the same. */

type Tint = "good" | "warn" | "bad" | "dim";

const ESC = "\u001b[";
/** Of the sixteen, which every theme of a terminal fits to its background. */
const CODES: Readonly<Record<Tint, string>> = { good: "32", warn: "33", bad: "31", dim: "2" };

const WORDS: Readonly<Record<string, Tint>> = {
  ...{ running: "good", succeeded: "good", up: "good" },
  ...{ connecting: "warn", preparing: "warn", arming: "warn", launching: "warn", stopping: "warn", recovering: "warn", draining: "warn", waiting: "warn" },
  ...{ unseen: "warn", "needs-auth": "warn", owes: "warn", owing: "warn" },
  ...{ failed: "bad", lost: "bad", refused: "bad", stopped: "dim" },
};

/** As a cell of its own, or at its beginning: the same word inside a sentence is only a word. */
const CELL = new RegExp(`(^| {2})(${Object.keys(WORDS).join("|")})(?=$| {2}|,)`, "g");
const HEAD = /^[A-Z]+(?: +[A-Z]+)+$/;

export function tint(line: string): string {
  if (HEAD.test(line)) return `${ESC}${CODES.dim}m${line}${ESC}0m`;
  const whole = /^failure: |^hang: |^! /.exec(line)?.[0];
  if (whole !== undefined) return `${ESC}${whole === "! " ? CODES.warn : CODES.bad}m${line}${ESC}0m`;
  return line.replace(CELL, (_, before: string, word: string) => `${before}${ESC}${CODES[WORDS[word] ?? "dim"]}m${word}${ESC}0m`);
}
