/** The table of everything that can fail for a person: exit status, what failed in one line, the cure. `{name}` is filled from the error's data. One line each. */

import { EXIT } from "./exit.ts";

export type ErrorData = Readonly<Record<string, string | number | boolean | undefined>>;
type Sentence = string | ((d: ErrorData) => string);
export type Entry = { readonly exit: number; readonly title: Sentence; readonly hint: Sentence };

const entry = (exit: number, title: Sentence, hint: Sentence): Entry => ({ exit, title, hint });

export const fill = (sentence: Sentence, data: ErrorData): string =>
  typeof sentence === "function" ? sentence(data) : sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(data[name] ?? ""));

// biome-ignore format: one line an entry
export const ERRORS = {
  BUG: entry(EXIT.bug, "internal error: {what}", "this is a bug in nexadist; please report it with the log named above"),
  USAGE: entry(EXIT.usage, "{what}", (d) => `${d.fix ?? "nexadist --help"}`),
  NOT_BUILT: entry(EXIT.bug, "the built files are missing in {path}", "node scripts/build.ts"),
  DIR_NOT_OURS: entry(EXIT.preflight, "{path} belongs to somebody else or is open to others, so it cannot hold sockets of ours", "remove it, or set NEXADIST_STATE_DIR to a directory of your own"),
  NO_PYTHON: entry(EXIT.unreachable, "{host} has no Python 3.9 or newer, which the agent's shim needs", "install python3 there (apt install python3, dnf install python3)"),
  HELPER_TIMEOUT: entry(EXIT.timedOut, "{host} did not answer within {seconds} s", "try the host by hand: ssh {host} true"),
  HELPER_SILENT: entry(EXIT.unreachable, "{host} did not run what it was asked to; it said: {said}", "a ForceCommand, a restricted shell or a login script that ends early does this; ssh {host} 'echo ok' must print ok"),
  HELPER_REFUSED: entry(EXIT.unreachable, "{host}: {text}", "nexadist hosts --host {host} shows what was found there"),
  DISK_FULL: entry(EXIT.unreachable, "{host} has no space left: {text}", "free space there: ssh {host} df -h; nexadist needs about 150 MB"),
  FOREIGN_HOST: entry(EXIT.unreachable, "{host} cannot be a host: {why}", "see the support matrix in the README"),
  NODE_FETCH: entry(EXIT.unreachable, "the Node for {arch} hosts could not be fetched: {why}", "npm pack node-linux-{arch} must work here; or install Node >= 22.18 on the host"),
  LINK_LOST: entry(EXIT.unreachable, "the link to the agent on {host} is gone: {why}", "nexadist agent status --host {host}"),
  VERSION_MISMATCH: entry(EXIT.version, "the agent on {host} speaks another protocol: {why}", "nexadist agent upgrade --host {host}"),
  TOKEN_REFUSED: entry(EXIT.unreachable, "the agent on {host} refused our token", "nexadist agent upgrade --host {host}"),
  CONTROLLER_LOST: entry(EXIT.controllerLost, "contact with the controller is lost; the run goes on: {why}", "nexadist attach"),
  CONTROLLER_START: entry(EXIT.controllerLost, "the controller did not start: {why}", "read {log}"),
  CONTROLLER_VERSION: entry(EXIT.version, "the controller that runs is of another version ({there}, this is {here})", "when no run is live: kill {pid} and try again"),
  NO_RUN: entry(EXIT.usage, "there is no run {run}", "nexadist runs"),
  RUN_NAME_TAKEN: entry(EXIT.usage, "{name} is running already as {run}", "nexadist attach {run}   or: nexadist stop {run}   or give another --name"),
  NO_LINK: entry(EXIT.unreachable, "the controller holds no link to {host}", "nexadist hosts"),
} as const satisfies Record<string, Entry>;
