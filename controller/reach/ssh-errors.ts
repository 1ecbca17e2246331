/** Failures of both SSH drivers as the same NexaErrors: host, user, port, driver and cause in every one. */

import { type ErrorCode, type ErrorData, fail, type NexaError } from "../../cluster/errors.ts";
import type { SshSettings } from "./ssh-config.ts";

export type SshPhase = "dial" | "banner" | "handshake" | "authentication" | "ready";

/** Makes an error of `code` that names the host, and how it was dialled. */
export function sshFail(code: ErrorCode, settings: SshSettings, driver: string, data: ErrorData = {}, cause?: unknown): NexaError {
  const { target, user, hostname: address, port } = settings;
  return fail(code, { host: target.name, user, address, port, driver, ...data }, cause);
}

/** What a person sees for the errno of a dial; undefined where the code is none of a network. */
export function describeErrno(code: string | undefined): string | undefined {
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused: nothing listens on that port";
    case "ETIMEDOUT":
      return "connection timed out";
    case "EHOSTUNREACH":
    case "EHOSTDOWN":
      return "no route to host";
    case "ENETUNREACH":
      return "network is unreachable";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "host name not found";
    case "ECONNRESET":
    case "EPIPE":
      return "connection reset by the other side";
    case "EACCES":
    case "EPERM":
      return "the system here does not permit this connection";
    default:
      return undefined;
  }
}

/** The budget ran out: which error it is depends on what the other side still owed us. */
export function timeoutError(phase: SshPhase, settings: SshSettings, driver: string, waitedMs: number, lastCause?: string): NexaError {
  const waitedS = Math.round(waitedMs / 100) / 10;
  if (lastCause !== undefined) return sshFail("UNREACHABLE", settings, driver, { cause: `${lastCause}, again and again for ${waitedS} s` });
  if (phase === "banner") return sshFail("BANNER_STALL", settings, driver, { waitedS });
  if (phase === "dial") return sshFail("UNREACHABLE", settings, driver, { cause: `connection timed out after ${waitedS} s` });
  return sshFail("UNREACHABLE", settings, driver, { cause: `no answer during ${phase} within ${waitedS} s` });
}

const SSH_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/Connection refused/i, "connection refused: nothing listens on that port"],
  [/(Connection|Operation) timed out/i, "connection timed out"],
  [/No route to host/i, "no route to host"],
  [/Network is unreachable/i, "network is unreachable"],
  [/Could not resolve hostname|Name or service not known|nodename nor servname/i, "host name not found"],
];

/** The network's cause in the stderr of `ssh`, in the same words as for ssh2. */
export const describeSshText = (stderr: string): string | undefined => SSH_TEXTS.find(([pattern]) => pattern.test(stderr))?.[1];

/** sshd dropped us before it knew us: MaxStartups, a full backlog, a restart. Worth another try. */
export const isEarlyDrop = (text: string): boolean =>
  /kex_exchange_identification|Connection (closed|reset) by|ECONNRESET|Connection lost before handshake|Exceeded MaxStartups|Not allowed at this time|ssh_exchange_identification|Broken pipe|EPIPE/i.test(
    text,
  );

/** Full jitter over a doubling cap: 200 ms, 400 ms … 3 s; `random` is in [0, 1). */
export const retryDelayMs = (attempt: number, random: number): number => 50 + random * Math.min(3_000, 200 * 2 ** attempt);
