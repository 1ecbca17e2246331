/** Every failure a person can meet is a NexaError with a code of the table; all else is a bug. */

import { type Entry, ERRORS, type ErrorData, fill } from "./error-table.ts";

export { EXIT } from "./exit.ts";
export { ERRORS, type ErrorData };

export type ErrorCode = keyof typeof ERRORS;

/** What travels on wires and in journals in place of an Error. */
export type Problem = { readonly code: ErrorCode; readonly message: string; readonly hint: string; readonly exit: number; readonly host?: string };

export class NexaError extends Error {
  readonly code: ErrorCode;
  readonly exit: number;
  readonly hint: string;
  readonly data: ErrorData;

  constructor(code: ErrorCode, data: ErrorData, cause?: unknown) {
    const { title, hint, exit }: Entry = ERRORS[code];
    super(fill(title, data), cause === undefined ? undefined : { cause });
    this.name = "NexaError";
    this.code = code;
    this.exit = exit;
    this.hint = fill(hint, data);
    this.data = data;
  }
}

/** Makes the error of `code`; callers write `throw fail("HOST_KEY_UNKNOWN", {host, fingerprint})`. */
export const fail = (code: ErrorCode, data: ErrorData = {}, cause?: unknown): NexaError => new NexaError(code, data, cause);

/** Any thrown value as plain data: an expected failure keeps its code, all else is a bug. */
export function toProblem(thrown: unknown, host?: string): Problem {
  const error = thrown instanceof NexaError ? thrown : fail("BUG", { what: thrown instanceof Error ? thrown.message : String(thrown) }, thrown);
  return { code: error.code, message: error.message, hint: error.hint, exit: error.exit, ...(host === undefined ? {} : { host }) };
}
