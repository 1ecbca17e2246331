/** `env_file`: KEY=VALUE lines. Every value is a secret, so no error shows a line of it. */

import { checkVariable } from "./names.ts";
import { type ConfigProblem, problemAt } from "./problem.ts";

export type Dotenv = { readonly ok: true; readonly values: ReadonlyMap<string, string> } | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\", $: "$", "`": "`" };

/** `export ` before a name, '…' as it is, "…" with \n \" \\ and so on, both over several lines; `#` starts a comment; nothing is expanded. */
export function parseDotenv(given: string, name: string): Dotenv {
  const text = given.replace(/^\ufeff/, "");
  const values = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  let at = 0;
  const report = (offset: number, message: string): void => {
    problems.push({ ...problemAt({ name, text }, offset, [], message), text: "(not shown: it may hold a secret)", caret: "" });
  };
  const lineEnd = (from: number): number => {
    const end = text.indexOf("\n", from);
    return end === -1 ? text.length : end;
  };
  while (at < text.length) {
    const start = at;
    const end = lineEnd(at);
    const line = text.slice(at, end).replace(/\r$/, "");
    at = end + 1;
    if (/^\s*(#.*)?$/.test(line)) continue;
    const match = /^(\s*(?:export\s+)?)([^=\s]+)\s*=[ \t]*/.exec(line);
    if (match === null) {
      report(start, "expected NAME=value");
      continue;
    }
    const [whole, lead = "", key = ""] = match;
    const wrong = checkVariable(key);
    if (wrong !== null) report(start + lead.length, `the name ${wrong}`);
    if (values.has(key)) report(start + lead.length, "this name is here twice");
    const from = start + whole.length;
    const quote = text[from];
    if (quote === "'" || quote === '"') {
      const closed = quoted(text, from);
      if (closed === null) {
        report(from, "this quote is not closed");
        break;
      }
      const rest = text.slice(closed.end, lineEnd(closed.end));
      if (!/^\s*(#.*)?$/.test(rest)) report(closed.end, "text after the closing quote");
      at = lineEnd(closed.end) + 1;
      values.set(key, closed.value);
    } else {
      values.set(
        key,
        line
          .slice(whole.length)
          .replace(/(^|\s)#.*$/, "")
          .trim(),
      );
    }
    if (values.get(key)?.includes("\0")) report(from, "a NUL character is not allowed");
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, values };
}

function quoted(text: string, from: number): { readonly value: string; readonly end: number } | null {
  const quote = text[from];
  let value = "";
  for (let i = from + 1; i < text.length; i++) {
    const c = text[i] ?? "";
    if (c === quote) return { value, end: i + 1 };
    const escaped = quote === '"' && c === "\\" ? ESCAPES[text[i + 1] ?? ""] : undefined;
    value += escaped ?? c;
    if (escaped !== undefined) i++;
  }
  return null;
}
