/** Errors of several lines, such as a setup's with its last output: where one line must do it is the first, elsewhere the rest follows on lines of its own. */

export const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

export const furtherLines = (text: string): readonly string[] =>
  text
    .split("\n")
    .slice(1)
    .map((line) => `    ${line}`);

/** The first line, and what it announces where it ends in a colon. */
export function headline(text: string): string {
  const [first = "", second = ""] = text.split("\n");
  return first.trimEnd().endsWith(":") && second !== "" ? `${first.trimEnd()} ${second.trim()}` : first;
}
