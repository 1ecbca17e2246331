/** One try to tell somebody: a POST, or a command with the JSON on stdin. Never rejects, and never names a URL. */

import { execa } from "execa";
import { isFinal } from "../../../cluster/notify/retry.ts";
import { sanitiseWord } from "../../../cluster/sanitise.ts";

/** `isFinal`: another try would end the same way. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly isFinal: boolean; readonly why: string };
export type Deliver = (body: string, cancelled: AbortSignal) => Promise<Outcome>;

const POST_MS = 10_000;
const COMMAND_MS = 30_000;
const WHY_MAX = 200;

export const webhook =
  (url: string, limitMs = POST_MS): Deliver =>
  async (body, cancelled) => {
    const headers = { "content-type": "application/json", "user-agent": "nexadist" };
    const signal = AbortSignal.any([cancelled, AbortSignal.timeout(limitMs)]);
    try {
      // A redirect may lead elsewhere with what is ours to tell.
      const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
      await response.body?.cancel();
      return response.ok ? { ok: true } : { ok: false, isFinal: isFinal(response.status), why: `HTTP ${response.status}` };
    } catch (error) {
      return { ok: false, isFinal: false, why: whyNot(error, limitMs) };
    }
  };

function whyNot(error: unknown, limitMs: number): string {
  if (!(error instanceof Error)) return "no connection";
  if (error.name === "TimeoutError") return `no answer in ${limitMs / 1000} s`;
  const { code } = (error.cause ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : "no connection";
}

/** The JSON is a line on its stdin. In a process group of its own, which is ended with it. */
export const command =
  (argv: readonly string[], cwd: string, limitMs = COMMAND_MS): Deliver =>
  async (body, cancelled) => {
    const [program = "", ...args] = argv;
    const child = execa(program, args, { cwd, input: `${body}\n`, detached: true, reject: false, stdout: "ignore", maxBuffer: 10_000 });
    let isLate = false;
    const end = (): void => {
      if (child.pid !== undefined) endGroup(child.pid);
    };
    const late = setTimeout(() => {
      isLate = true;
      end();
    }, limitMs);
    cancelled.addEventListener("abort", end, { once: true });
    const result = await child;
    clearTimeout(late);
    cancelled.removeEventListener("abort", end);
    if (!result.failed) return { ok: true };
    if (result.code === "ENOENT" || result.code === "EACCES") return { ok: false, isFinal: true, why: `${program}: ${result.code}` };
    const said = sanitiseWord(result.stderr ?? "").trim();
    const how = isLate ? `not done in ${limitMs / 1000} s` : (result.signal ?? `exit ${result.exitCode}`);
    return { ok: false, isFinal: false, why: `${how}${said === "" ? "" : `: ${said.slice(-WHY_MAX)}`}` };
  };

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended
  }
}
