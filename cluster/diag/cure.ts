/** Cures as commands: one form for all, `ssh HOST '…'` as the run reaches it, made of where a command runs and what it is; so none acts on the wrong machine when it is pasted. */

import { quote } from "../launch/quote.ts";
import type { HostSpec } from "../spec.ts";

/** Around a command in a template. No text from elsewhere has them: what fills a template loses its control characters. */
const [OPEN, PART, CLOSE] = ["\u0001", "\u0002", "\u0003"];
const COMMANDS = new RegExp(`${OPEN}([^${CLOSE}]*?)${PART}([^${CLOSE}]*?)${PART}([^${CLOSE}]*)${CLOSE}`, "g");
const MARKS = new RegExp(`[${OPEN}${PART}${CLOSE}]`, "g");
/** `{name}`; a capital is the shell's own: ${Package}. */
const WORD = /\{([a-z]\w*)\}/g;

/** A command for a host, in the sh of there; `{name}` in it is filled, quoted. `note`: why, or when. `options`: of ssh. */
export function on(command: string, note = "", { host = "{host}", options = "" }: { readonly host?: string; readonly options?: string } = {}): string {
  return `${OPEN}${host}${PART}${options}${PART}${command}${CLOSE}${note === "" ? "" : `  # ${note}`}`;
}

/** A cure of several lines: commands, and notes that a shell takes for comments. */
export const steps = (...lines: readonly string[]): string => lines.join("\n");

/** What is pasted on this machine to run `command` on the host. null: the host is of no file, and is called so. */
export function commandOn(host: HostSpec | null, name: string, command: string, options = ""): string {
  if (host?.transport === "local") return command;
  const { user, port, identity, sshHost = name } = host ?? {};
  const words = [
    "ssh",
    // sudo asks for its password on a terminal.
    ...(/\bsudo\b/.test(command) ? ["-t"] : []),
    ...(options === "" ? [] : [options]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(identity === undefined ? [] : ["-i", quote(identity)]),
    quote(user === undefined ? sshHost : `${user}@${sshHost}`),
    `'${command.replaceAll("'", `'\\''`)}'`,
  ];
  return words.join(" ");
}

/** The text of a template: words filled, commands made. A word that is missing is empty. */
export function cureText(template: string, words: Readonly<Record<string, string>>, hosts: readonly HostSpec[]): string {
  const clean = (name: string): string => (words[name] ?? "").replace(MARKS, "");
  const fill = (text: string, as: (word: string) => string): string => text.replace(WORD, (_, name: string) => as(clean(name)));
  let from = 0;
  let text = "";
  for (const { 0: whole, 1: at = "", 2: options = "", 3: command = "", index } of template.matchAll(COMMANDS)) {
    const name = fill(at, String);
    text += fill(template.slice(from, index), String);
    text += commandOn(hosts.find((host) => host.name === name) ?? null, name, fill(command, quote), options);
    from = index + whole.length;
  }
  return text + fill(template.slice(from), String);
}

/** The template as it is before anything was looked at: what is open stands as `<name>`. */
export const openCure = (template: string): string =>
  template
    .replace(COMMANDS, (_, at: string, options: string, command: string) => {
      const ssh = commandOn(null, "HOST", command, options);
      return ssh.replace(" HOST ", ` ${at} `);
    })
    .replace(WORD, (_, name: string) => `<${name}>`);
