/** `gpu[01-16]`, `r[1-2]n[1,3,5-7]` to names. */

/** More hosts than this in one file is a slip of the pen. */
export const MAX_HOSTS = 1024;

export type Expanded = { readonly ok: true; readonly names: readonly string[] } | { readonly ok: false; readonly why: string };

/** `a,b[1,2]` as `a` and `b[1,2]`. */
export const splitOutsideBrackets = (text: string): readonly string[] =>
  text
    .split(/,(?![^[]*\])/)
    .map((part) => part.trim())
    .filter((part) => part !== "");

export function expandRange(text: string): Expanded {
  if (!/[[\]]/.test(text)) return { ok: true, names: [text] };
  if (!/^([^[\]]*\[[^[\]]*\])+[^[\]]*$/.test(text)) return { ok: false, why: "brackets do not match; a range is written `gpu[01-16]` or `gpu[1,3,5-7]`" };
  let names = [""];
  for (const part of text.match(/\[[^\]]*\]|[^[]+/g) ?? []) {
    const choices = part.startsWith("[") ? numbers(part.slice(1, -1), names.length) : { ok: true as const, names: [part] };
    if (!choices.ok) return choices;
    if (names.length * choices.names.length > MAX_HOSTS) return { ok: false, why: `more than ${MAX_HOSTS} hosts` };
    names = names.flatMap((name) => choices.names.map((choice) => name + choice));
  }
  return { ok: true, names };
}

function numbers(list: string, already: number): Expanded {
  const names: string[] = [];
  for (const item of list.split(",")) {
    if (/\d{7}/.test(item)) return { ok: false, why: `${item.trim()} is too large: a number of a range has at most 6 digits` };
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(item.trim());
    if (match === null) return { ok: false, why: `\`${item}\` is not a number or a range such as 01-16` };
    const [, first = "", last = first] = match;
    const [from, to] = [Number(first), Number(last)];
    if (to < from) return { ok: false, why: `the range ${item} runs backwards` };
    if ((names.length + to - from + 1) * already > MAX_HOSTS) return { ok: false, why: `more than ${MAX_HOSTS} hosts` };
    for (let n = from; n <= to; n++) names.push(first.startsWith("0") ? String(n).padStart(first.length, "0") : String(n));
  }
  return { ok: true, names };
}
