/** A failure as a person reads it: what failed, why, what to do; or as one JSON object. Gives the exit status. */

import { withFile } from "../../cluster/diag/with-file.ts";
import { EXIT, NexaError, type Problem, toProblem } from "../../cluster/errors.ts";
import { sanitise, sanitiseWord } from "../../cluster/sanitise.ts";
import { JSON_SCHEMA } from "./context.ts";

export type ErrorStyle = { readonly json: boolean; readonly verbose: boolean; readonly command: string; readonly named: string | null };

const causeOf = (thrown: unknown): string | null => {
  const cause = thrown instanceof NexaError ? thrown.cause : undefined;
  return cause instanceof Error && cause.message !== "" ? cause.message : null;
};

export function problemLines(problem: Problem, command: string, cause: string | null): readonly string[] {
  const where = problem.host === undefined || problem.message.includes(problem.host) ? "" : `${sanitiseWord(problem.host)}: `;
  const [title = "", ...more] = sanitise(problem.message).split("\n");
  if (problem.code === "CONFIG" || problem.code === "HOST_CHOICE" || problem.code === "FLAG_VALUE") return [title, ...more, `  try: ${sanitise(problem.hint)}`]; // file:line:column first, as compilers print
  return [
    `nexadist${command === "" ? "" : ` ${command}`}: ${where}${title}`,
    ...more,
    ...(cause === null || problem.message.includes(cause) ? [] : [`  why: ${sanitiseWord(cause)}`]),
    ...(problem.hint === "" ? [] : [`  try: ${sanitise(problem.hint).split("\n").join("\n       ")}`]),
  ];
}

export function reportError(thrown: unknown, style: ErrorStyle): number {
  const found = toProblem(thrown);
  const problem = { ...found, hint: withFile(found.hint, style.named) };
  const isBug = problem.code === "BUG";
  const details = thrown instanceof Error && "problems" in thrown ? { problems: thrown.problems } : {};
  if (style.json) process.stdout.write(`${JSON.stringify({ schema: JSON_SCHEMA, error: { ...problem, ...details } })}\n`);
  else for (const line of problemLines(problem, style.command, causeOf(thrown))) process.stderr.write(`${line}\n`);
  if ((isBug || style.verbose) && thrown instanceof Error && thrown.stack !== undefined) process.stderr.write(`${sanitise(thrown.stack)}\n`);
  return isBug ? EXIT.bug : problem.exit;
}
