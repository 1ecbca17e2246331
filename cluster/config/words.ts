/** A command line to words, by the rules of a POSIX shell. */

export type Words = { readonly ok: true; readonly words: readonly string[] } | { readonly ok: false; readonly why: string };

/** Quotes and backslashes are understood; whatever a shell would act on is refused, since no shell runs it. */
export function splitCommand(line: string): Words {
  const words: string[] = [];
  let word: string | null = null;
  for (let i = 0; i < line.length; i++) {
    const c = line[i] ?? "";
    if (/\s/.test(c)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (c === "'") {
      const end = line.indexOf("'", i + 1);
      if (end === -1) return { ok: false, why: "a quote (') is not closed" };
      word = (word ?? "") + line.slice(i + 1, end);
      i = end;
    } else if (c === '"') {
      word ??= "";
      for (i++; line[i] !== '"'; i++) {
        const inner = line[i];
        if (inner === undefined) return { ok: false, why: 'a quote (") is not closed' };
        if (inner === "$" || inner === "`") return { ok: false, why: `no shell runs this, so \`${inner}\` would not be expanded` };
        const next = line[i + 1];
        if (inner === "\\" && (next === '"' || next === "\\" || next === "$" || next === "`")) word += line[++i];
        else word += inner;
      }
    } else if (c === "\\") {
      const next = line[++i];
      if (next === undefined) return { ok: false, why: "ends in a backslash" };
      word = (word ?? "") + next;
    } else if (/[|&;<>()$`*?[\]{}]/.test(c) || (word === null && (c === "~" || c === "#"))) {
      return { ok: false, why: `no shell runs this, so \`${c}\` would not do what it does in one` };
    } else {
      word = (word ?? "") + c;
    }
  }
  if (word !== null) words.push(word);
  return words.length === 0 ? { ok: false, why: "is empty" } : { ok: true, words };
}
