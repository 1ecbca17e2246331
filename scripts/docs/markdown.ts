/** Pieces of Markdown that the generated documents are made of. */

/** Text that may hold anything as the content of a table's cell. */
export const cell = (text: string): string => text.replace(/\|/g, "\\|").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\s+/g, " ").trim();

export const anchor = (name: string): string => `<a id="${name.toLowerCase()}"></a>`;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** `text` with what stands between the marks of block `name` replaced. */
export function withBlock(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name}: made by scripts/gen-docs.ts -->`, `<!-- /${name} -->`];
  const from = text.indexOf(open);
  const to = text.indexOf(close);
  if (from < 0 || to < from) throw new Error(`no block ${name}`);
  return `${text.slice(0, from + open.length)}\n${content}\n${text.slice(to)}`;
}
