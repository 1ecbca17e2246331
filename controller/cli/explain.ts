/** `explain`: a finding, a check or an error by its code, or the findings that a text shows. Needs no controller, host or network. */

import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { CHECKS, checkOf } from "../../cluster/diag/catalogue.ts";
import { checkJson, explainCheck } from "../../cluster/diag/words.ts";
import { type Entry, ERRORS } from "../../cluster/error-table.ts";
import { openSentence } from "../../cluster/error-words.ts";
import { fail, NexaError } from "../../cluster/errors.ts";
import { FINDINGS, findingOf } from "../../cluster/findings/catalogue.ts";
import { type Found, LINE_MAX, makeFinder, withoutConsequences } from "../../cluster/findings/match.ts";
import { explainFinding, findingJson } from "../../cluster/findings/words.ts";
import { nearestCode } from "../../cluster/nearest-code.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";

const errors = Object.entries(ERRORS) as readonly (readonly [string, Entry])[];
const errorJson = ([code, { exit, title, hint }]: readonly [string, Entry]): object => ({ code, exit, message: openSentence(title), hint: openSentence(hint) });

const allCodes: readonly string[] = [...FINDINGS.map(({ code }) => code), ...CHECKS.map(({ id }) => id), ...errors.map(([code]) => code)];

export const explain: Run = async (context, [what], options) => {
  if (options.list === true) return list(context);
  if (typeof what !== "string")
    throw fail("USAGE", { what: "explain what?", fix: "nexadist explain CODE; nexadist explain FILE (or -); nexadist explain --list" });
  return explainCode(context, what) ?? (await explainText(context, what));
};

function list(context: Context): number {
  if (context.json)
    context.printJson({ findings: FINDINGS.map((finding) => findingJson(finding)), checks: CHECKS.map(checkJson), errors: errors.map(errorJson) });
  else {
    const width = Math.max(...allCodes.map((code) => code.length));
    for (const { code, title } of FINDINGS) context.print(`${code.padEnd(width)}  ${title}`);
    for (const { id, title } of CHECKS) context.print(`${id.padEnd(width)}  ${title}`);
    for (const [code, { title }] of errors) context.print(`${code.padEnd(width)}  ${openSentence(title)}`);
  }
  return 0;
}

/** null: there is no such code. */
function explainCode(context: Context, word: string): number | null {
  const code = word.trim().toUpperCase().replaceAll("-", "_");
  const finding = findingOf(code);
  const error = errors.find(([known]) => known === code);
  if (finding !== null) {
    if (context.json) context.printJson({ finding: findingJson(finding) });
    else for (const line of explainFinding(finding)) context.print(line);
    return 0;
  }
  const check = checkOf(word.trim());
  if (check !== null) {
    if (context.json) context.printJson({ check: checkJson(check) });
    else for (const line of explainCheck(check)) context.print(line);
    return 0;
  }
  if (error === undefined) return null;
  const { exit, title, hint } = error[1];
  if (context.json) context.printJson({ error: errorJson(error) });
  else for (const line of [`${code}: ${openSentence(title)}`, `  what to do  ${openSentence(hint)}`, `  exit status ${exit}`]) context.print(line);
  return 0;
}

async function explainText(context: Context, name: string): Promise<number> {
  const path = join(context.cwd, name);
  if (name !== "-" && !existsSync(path) && !existsSync(name)) throw noSuchCode(name);
  const finder = makeFinder();
  await eachLine(name === "-" ? process.stdin : createReadStream(existsSync(name) ? name : path), finder.push).catch((error: NodeJS.ErrnoException) => {
    throw error instanceof NexaError
      ? error
      : fail("USAGE", { what: `${name} cannot be read: ${error.code ?? error.message}`, fix: "check the path; - reads the standard input" });
  });
  const found = withoutConsequences(finder.found());
  if (context.json) context.printJson({ found: found.map(foundJson) });
  else if (found.length === 0) context.say("nothing in it is known to be a problem; nexadist explain --list shows what is");
  else for (const [index, one] of found.entries()) tell(context, one, index);
  return 0;
}

const foundJson = ({ finding, args, line, lineNumber, count }: Found): object => ({
  ...findingJson(finding, args),
  line: sanitiseWord(line),
  lineNumber,
  count,
});

function tell(context: Context, { finding, args, line, lineNumber, count }: Found, index: number): void {
  if (index > 0) context.print("");
  const [first = "", ...rest] = explainFinding(finding, args).map(sanitiseWord);
  context.print(first);
  context.print(`  line ${lineNumber}${count > 1 ? ` (${count} times)` : ""}: ${sanitiseWord(line).trim().slice(0, 300)}`);
  for (const more of rest) context.print(more);
}

function noSuchCode(word: string): NexaError {
  const near = nearestCode(word, allCodes);
  const fix = near === null ? "nexadist explain --list shows all codes" : `did you mean ${near}? nexadist explain ${near}`;
  return fail("USAGE", { what: `there is no finding, error or file ${sanitiseWord(word).slice(0, 80)}`, fix });
}

/** Of a line only what is looked at is kept: a file without a newline takes no memory. */
async function eachLine(stream: Readable, push: (line: string) => void): Promise<void> {
  let line = "";
  for await (const chunk of stream.setEncoding("utf8")) {
    const [first = "", ...more] = String(chunk).split("\n");
    if (line.length < LINE_MAX) line += first.slice(0, LINE_MAX);
    for (const next of more) {
      push(line.replace(/\r$/, ""));
      line = next.slice(0, LINE_MAX);
    }
  }
  if (line !== "") push(line);
}
