/** Words for a POSIX shell. */

/** An argument as a shell reads it back; plain words stay as they are. Undefined for strings with NUL: no process can be given one. */
export function quote(word: string): string {
  // A leading "=" is a path search in zsh.
  if (/^(?!=)[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Text of an argument that the shell must still expand, such as `"$NEXADIST_BUNDLE"/smoke_train.py`. */
export type ShellText = { readonly shell: string };

export const quoteAll = (argv: readonly (string | ShellText)[]): string[] => argv.map((word) => (typeof word === "string" ? quote(word) : word.shell));
