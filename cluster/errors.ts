/** Every failure a person can meet: its code, exit status, sentence and cure. Docs and exit codes are made from this table. */

export const EXIT = {
  ok: 0,
  runFailed: 1,
  usage: 2,
  config: 3,
  unreachable: 4,
  preflight: 5,
  version: 6,
  controllerLost: 7,
  timedOut: 8,
  stopped: 9,
  bug: 70,
} as const;

export type ErrorData = Readonly<Record<string, string | number | boolean | undefined>>;

type Entry = {
  readonly exit: number;
  /** What failed, in one line. */
  readonly title: (d: ErrorData) => string;
  /** What to do about it; a command where one exists. */
  readonly hint: (d: ErrorData) => string;
};

const entry = (exit: number, title: Entry["title"], hint: Entry["hint"]): Entry => ({ exit, title, hint });

export const ERRORS = {
  BUG: entry(
    EXIT.bug,
    (d) => `internal error: ${d.what}`,
    () => "this is a bug in nexadist; please report it with the log named above",
  ),
  USAGE: entry(
    EXIT.usage,
    (d) => `${d.what}`,
    (d) => `${d.fix ?? "nexadist --help"}`,
  ),
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof ERRORS;

/** What travels on wires and in journals in place of an Error. */
export type Problem = { readonly code: ErrorCode; readonly message: string; readonly hint: string; readonly exit: number; readonly host?: string };

export class NexaError extends Error {
  readonly code: ErrorCode;
  readonly exit: number;
  readonly hint: string;
  readonly data: ErrorData;

  constructor(code: ErrorCode, data: ErrorData, cause?: unknown) {
    const { title, hint, exit } = ERRORS[code];
    super(title(data), cause === undefined ? undefined : { cause });
    this.name = "NexaError";
    this.code = code;
    this.exit = exit;
    this.hint = hint(data);
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
