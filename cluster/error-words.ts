/** An error of the table in words, before there is data for it. */

import type { Entry, ErrorData } from "./error-table.ts";

/** A sentence with its data left open: {host} becomes <host>. */
export function openSentence(sentence: Entry["title"]): string {
  if (typeof sentence === "string") return sentence.replace(/\{(\w+)\}/g, "<$1>");
  const names: ErrorData = new Proxy({}, { get: (_, name) => (typeof name === "string" ? `<${name}>` : undefined) });
  return sentence(names);
}
