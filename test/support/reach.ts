/** Connects to a test sshd with a forced driver and nothing of the person's own SSH set-up; gathers what a process says. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { NexaError } from "../../cluster/errors.ts";
import { connectHost } from "../../controller/reach/connect-host.ts";
import type { ReachOptions, RemoteExit, RemoteProcess, Transport } from "../../controller/reach/transport.ts";
import type { Sshd } from "./sshd.ts";

export const DRIVERS = ["ssh2", "ssh"] as const;

export type ReachChanges = Partial<Omit<ReachOptions, "env">> & {
  readonly driver?: "ssh2" | "ssh";
  readonly host?: string;
  readonly port?: number;
  readonly identity?: string;
  readonly notices?: string[];
  readonly env?: Record<string, string>;
};

export function reach(sshd: Pick<Sshd, "config" | "port">, changes: ReachChanges = {}): Promise<Transport> {
  const { driver, host = "127.0.0.1", port = sshd.port, identity, notices, env, ...options } = changes;
  const { PATH } = process.env;
  return connectHost(
    { name: "box", host, ...(host === "127.0.0.1" ? { port } : {}), ...(identity === undefined ? {} : { identity }) },
    {
      connectMs: 20_000,
      acceptNewHostKeys: false,
      agentSocket: undefined,
      notice: (text) => notices?.push(text),
      ...options,
      env: { ...(PATH === undefined ? {} : { PATH }), NEXADIST_SSH_CONFIG: sshd.config, ...(driver === undefined ? {} : { NEXADIST_SSH: driver }), ...env },
    },
  );
}

export type Said = { readonly stdout: Buffer; readonly stderr: Buffer; readonly exit: RemoteExit };

export async function gather(process: RemoteProcess): Promise<Said> {
  const [stdout, stderr] = [[] as Buffer[], [] as Buffer[]];
  process.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  process.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const ends = [process.stdout, process.stderr].map((stream) => (stream.readableEnded ? undefined : once(stream, "end")));
  const [exit] = await Promise.all([process.exit, ...ends]);
  return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), exit };
}

/** The text of a command without input. */
export async function runText(transport: Transport, command: string): Promise<string> {
  const process = await transport.exec(command);
  process.stdin.end();
  return (await gather(process)).stdout.toString().trim();
}

/** The NexaError that `doing` must end in; a connection made instead is closed and fails the test. */
export async function failureOf(doing: Promise<unknown>): Promise<NexaError> {
  const result: unknown = await doing.catch((error: unknown) => error);
  if (typeof result === "object" && result !== null && "close" in result && typeof result.close === "function") result.close();
  assert.ok(result instanceof NexaError, `expected a NexaError, got ${String(result)}`);
  return result;
}
