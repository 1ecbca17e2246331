/** docs/errors.md from the error table: every exit status and every code, with its sentence and its cure. */

import { type Entry, ERRORS } from "../../cluster/error-table.ts";
import { openSentence } from "../../cluster/error-words.ts";
import { EXIT } from "../../cluster/exit.ts";
import { anchor, cell, table } from "./markdown.ts";

const MEANING: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "it worked, or the run goes on without this terminal",
  runFailed: "the run or the command failed; the status of the worker itself is in the summary and in `--json`",
  usage: "the command line is wrong",
  config: "the cluster file is wrong",
  unreachable: "a host cannot be reached or refused us",
  preflight: "something that the run needs is not there",
  version: "an agent or a controller speaks another version",
  controllerLost: "contact with the controller is lost; what became of the run is not known here",
  timedOut: "it took longer than allowed",
  stopped: "stopped, as somebody asked",
  bug: "a fault in nexadist itself",
};

export function renderErrors(): string {
  const exits = Object.entries(EXIT) as [keyof typeof EXIT, number][];
  const entries = Object.entries(ERRORS) as [string, Entry][];
  const rows = entries.map(([code, { exit, title, hint }]) => [
    `${anchor(code)}\`${code}\``,
    String(exit),
    cell(openSentence(title)),
    cell(openSentence(hint)),
  ]);
  return `<!-- Made by scripts/gen-docs.ts from cluster/error-table.ts: change that and run it. -->

# Exit statuses and errors

Every failure that is not a bug has a code, one sentence on what failed and one on what to do. \`--json\` gives \`{"schema":1,"error":{"code":…,"message":…,"hint":…,"exit":…}}\` on stdout.

## Exit statuses

${table(
  ["status", "meaning"],
  exits.map(([name, status]) => [String(status), MEANING[name]]),
)}
| 130, 143 | interrupted before anything was started |

## Errors

${table(["code", "exit", "what it says", "what to do"], rows)}
`;
}
