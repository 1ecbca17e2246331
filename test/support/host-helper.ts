/** Runs the host helper as a controller does: the fixed command through a shell, program and request on stdin. */

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { HOST_COMMAND, HOST_PARTS, type HostPart, hostProgram } from "../../cluster/host-program.ts";

export const REPO = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

export type HostAnswer = { readonly ok: boolean; readonly value: Record<string, unknown>; readonly code: string; readonly text: string };

export function programText(): string {
  const sources = Object.fromEntries(HOST_PARTS.map((name) => [name, readFileSync(`${REPO}/python/${name}.py`, "utf8")]));
  return hostProgram(sources as Record<HostPart, string>);
}

export type AskOptions = {
  readonly env?: Record<string, string | undefined>;
  readonly payload?: Uint8Array;
  readonly shell?: string;
  /** Python to use in place of the fixed command's search. */
  readonly python?: string;
};

export function startHost(request: Record<string, unknown>, options: AskOptions = {}) {
  const nonce = randomUUID();
  const code = "import sys,base64;exec(compile(base64.b64decode(sys.stdin.buffer.readline()),'host','exec'))";
  const env = { ...process.env, ...options.env };
  const child =
    options.python === undefined ? spawn(options.shell ?? "/bin/sh", ["-c", HOST_COMMAND], { env }) : spawn(options.python, ["-I", "-S", "-c", code], { env });
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${Buffer.from(programText()).toString("base64")}\n${JSON.stringify({ nonce, ...request })}\n`);
  return { child, nonce };
}

/** One request and its answer; rejects with what was printed when there is none. */
export async function askHost(request: Record<string, unknown>, options: AskOptions = {}): Promise<HostAnswer> {
  const { child, nonce } = startHost(request, options);
  child.stdin.end(options.payload);
  let out = "";
  let err = "";
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    err += data;
  });
  await new Promise((resolve) => child.once("close", resolve));
  const line = out.split("\n").find((text) => text.startsWith(`${nonce} `));
  if (line === undefined) throw new Error(`no answer (exit ${child.exitCode}): ${out}${err}`);
  return JSON.parse(line.slice(nonce.length + 1)) as HostAnswer;
}
