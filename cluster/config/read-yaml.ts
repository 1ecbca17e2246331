/** YAML text to plain values with positions, within limits; a hostile text costs an error, never a crash. */

import { Composer, type Document, Lexer, Parser } from "yaml";
import { convertDocument } from "./convert-yaml.ts";
import type { Located } from "./located.ts";
import { type ConfigProblem, type Path, problemAt, type Source } from "./problem.ts";

export const MAX_BYTES = 128 * 1024;
export const MAX_DEPTH = 32;
export const MAX_PROBLEMS = 50;
/** No file of 128 KiB that a person wrote comes near; each may become an error object, which is slow to make. */
const MAX_LEXEMES = 40_000;
const MAX_PROPERTIES = 256; // anchors and tags

export type Failed = { readonly ok: false; readonly problems: readonly ConfigProblem[] };
export type Read = { readonly ok: true; readonly located: Located } | Failed;

export type ReadOptions = {
  /** Where the value will stand in the cluster file, when the text is one part of it. */
  readonly base?: Path;
  /** Any YAML, not a cluster file. */
  readonly free?: boolean;
  /** The YAML starts here in the source (`--set a.b=` comes before it). */
  readonly offset?: number;
};

export function readYaml(given: Source, { base = [], free = false, offset: shift = 0 }: ReadOptions = {}): Read {
  const source = { name: given.name, text: given.text.replace(/^\ufeff/, "") };
  const text = source.text.slice(shift);
  const problems: ConfigProblem[] = [];
  const report = (offset: number, path: Path, message: string, hint?: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problemAt(source, offset + shift, path, message, hint));
  };
  const failed = (): Failed => ({ ok: false, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) });

  if (text.length > MAX_BYTES || new TextEncoder().encode(text).length > MAX_BYTES) {
    report(0, [], `longer than ${MAX_BYTES / 1024} KiB`);
    return failed();
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: YAML allows none of these
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/.exec(text);
  if (control !== null) {
    report(control.index, base, "a control character is not allowed here", "is this a text file in UTF-8?");
    return failed();
  }
  const document = compose(text, (offset, message, hint) => report(offset, base, message, hint));
  if (problems.length > 0 || document === null) return failed();
  const located = convertDocument({ source, document, base, free, shift, report });
  return problems.length > 0 ? failed() : { ok: true, located };
}

function compose(text: string, report: (offset: number, message: string, hint?: string) => void): Document.Parsed | null {
  const parser = new Parser();
  const tokens = [];
  // The parser keeps its own stack; the composer recurses. So depth is refused before anything is composed.
  let lexemes = 0;
  let properties = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (/^[&!]/.test(lexeme)) properties++;
    if (++lexemes > MAX_LEXEMES || properties > MAX_PROPERTIES) {
      report(parser.offset, properties > MAX_PROPERTIES ? `more than ${MAX_PROPERTIES} anchors and tags` : "too many parts for a configuration");
      return null;
    }
    for (const token of parser.next(lexeme)) tokens.push(token);
    let depth = 0;
    for (const { type } of parser.stack) if (type === "block-map" || type === "block-seq" || type === "flow-collection") depth++;
    if (depth > MAX_DEPTH) {
      report(Math.max(parser.offset - lexeme.length, 0), `nested deeper than ${MAX_DEPTH} levels`);
      return null;
    }
  }
  for (const token of parser.end()) tokens.push(token);
  const composer = new Composer({ version: "1.2", stringKeys: true, uniqueKeys: true, merge: false });
  const documents = [...composer.compose(tokens, true, text.length)];
  const [document, second] = documents;
  if (document === undefined) return null;
  if (second !== undefined) report(second.range[0], "a second document; a file holds one", "remove the `---` line");
  const { explicit, version } = document.directives.yaml;
  if (explicit === true && version !== "1.2") report(0, `%YAML ${version} is not supported`, "remove the line: the file is read as YAML 1.2");
  for (const error of document.errors) report(visible(text, error.pos[0]), plainWords(error.code, error.message));
  return document;
}

/** What is missing at an empty line is missing at the end of the line before. */
function visible(text: string, offset: number): number {
  const before = text.slice(0, offset);
  return /\S/.test((before.split("\n").at(-1) ?? "") + (text.slice(offset).split("\n")[0] ?? "")) ? offset : Math.max(before.trimEnd().length - 1, 0);
}

function plainWords(code: string, message: string): string {
  if (code === "DUPLICATE_KEY") return "this key is here twice";
  if (code === "TAB_AS_INDENT") return "a tab cannot indent YAML; use spaces";
  if (code === "NON_STRING_KEY") return "a key must be plain text";
  const closing = /^Flow (?:map|sequence) .* end with a ([\]}])/.exec(message)?.[1];
  if (closing !== undefined) return `${closing === "]" ? "[" : "{"} is still open here: ${closing} is missing`;
  return (message.split("\n")[0] ?? message).replace(/ at line \d+, column \d+:?$/, "");
}
