/** What is wrong with a configuration, and where: printed as compilers print. */

/** A text that values come from: a file, or one `--set` or one environment variable as a text of one line. */
export type Source = { readonly name: string; readonly text: string };

export type ConfigProblem = {
  readonly file: string;
  readonly line: number; // from 1
  readonly column: number; // from 1
  /** `cluster[0].gpus`, or "" for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** The offending line, made safe for a terminal and cut around the column; `caret` lines up with it. */
  readonly text: string;
  readonly caret: string;
  readonly hint?: string;
};

export type Path = readonly (string | number)[];

export const formatPath = (path: Path): string => path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join("");

/** Control, bidirectional and line separator characters as escapes: no text from a file drives the terminal. */
export const inert = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => {
    const code = c.codePointAt(0) ?? 0;
    return c === "\t" ? " " : `\\u${code.toString(16).padStart(4, "0")}`;
  });

/** Names of variables whose values are kept out of every output, wherever they are written. */
export const SECRET_NAME = /(^|_)(api_?key|access_?key|secret|token|password|passwd|credentials?|private_?key)(_|$)|_key$/i;

const SECRET_IN_LINE = /((?:webhook|api_?key|access_?key|secret|token|password|passwd|credentials?|private_?key|_key)\w*["']?\s*[:=]\s*)\S.*/i;

/** Beyond its host a URL may hold a token. */
const IN_URL = /([a-z]+:\/\/)[^/\s"']+(\/[^\s"']*)?/gi;

const WIDTH = 120;

/** Line and column, both from 1, of an offset. */
export function locate(text: string, offset: number): { line: number; column: number; start: number } {
  const at = Math.min(Math.max(offset, 0), text.length);
  let line = 1;
  let start = 0;
  for (let i = text.indexOf("\n"); i !== -1 && i < at; i = text.indexOf("\n", start)) {
    line++;
    start = i + 1;
  }
  return { line, column: at - start + 1, start };
}

export function problemAt(source: Source, offset: number, path: Path, message: string, hint?: string): ConfigProblem {
  const { line, column, start } = locate(source.text, offset);
  const end = source.text.indexOf("\n", start);
  const whole = source.text.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  const cut = column - 1 > WIDTH - 20 ? column - 1 - Math.floor(WIDTH / 2) : 0;
  const shown = whole.slice(cut, cut + WIDTH);
  const before = inert(whole.slice(cut, column - 1));
  const text = inert(shown).replace(SECRET_IN_LINE, "$1***").replace(IN_URL, "$1***");
  return {
    file: source.name,
    line,
    column,
    path: formatPath(path),
    message: inert(message),
    text,
    caret: `${" ".repeat(Math.min(before.length, text.length))}^`,
    ...(hint === undefined ? {} : { hint: inert(hint) }),
  };
}

/** `cluster.yaml:3:5: gpus: expected …`, the line, the caret, the hint. */
export function formatProblem(p: ConfigProblem): string {
  const number = String(p.line);
  const gutter = " ".repeat(number.length);
  return [
    `${inert(p.file)}:${p.line}:${p.column}: ${p.path === "" ? "" : `${inert(p.path)}: `}${p.message}`,
    ` ${number} | ${p.text}`,
    ` ${gutter} | ${p.caret}`,
    ...(p.hint === undefined ? [] : [` ${gutter} = ${p.hint}`]),
  ].join("\n");
}
