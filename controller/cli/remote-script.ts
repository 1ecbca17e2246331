/** Runs lines of sh on a host that needs nothing but sh and coreutils: the command is fixed, the lines and all data come over stdin. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fail } from "../../cluster/errors.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { RemoteExit, Transport } from "../reach/transport.ts";

/**
 * Valid in sh, csh and fish. Reads the script's length, then exactly the script: `read` and `dd bs=1` take not a byte more,
 * so what follows on stdin is the script's own. (`sh -s` may read ahead.)
 */
export const SCRIPT_COMMAND = `exec sh -c 'IFS= read -r n; eval "$(dd bs=1 count="$n" 2>/dev/null)"'`;

/** Noise of rc files that is looked through for the mark, in bytes. */
const NOISE_MAX = 256 * 1024;

export type ScriptIo = {
  /** What the script reads; absent: nothing. */
  readonly input?: AsyncIterable<Uint8Array>;
  readonly onOut: (data: Buffer) => void | Promise<void>;
  readonly onErr: (data: Buffer) => void | Promise<void>;
  /** Called with what ends it early. */
  readonly onStart?: (kill: () => void) => void;
};

/** Output of the script alone: what rc files print before it is dropped. Errors: HELPER_SILENT when the script never ran, CONNECTION_LOST. */
export async function runScript(transport: Transport, host: HostSpec, script: string, io: ScriptIo): Promise<RemoteExit> {
  const mark = randomBytes(12).toString("hex");
  const marked = `printf '\\n%s\\n' ${mark}; printf '\\n%s\\n' ${mark} >&2\n${script}`;
  const child = await transport.exec(SCRIPT_COMMAND);
  io.onStart?.(child.kill);
  child.stdin.on("error", () => undefined); // it need not read all; `exit` tells the rest
  const out = drain(child.stdout, mark, io.onOut);
  const err = drain(child.stderr, mark, io.onErr);
  child.stdin.write(`${Buffer.byteLength(marked)}\n${marked}`);
  if (io.input === undefined) child.stdin.end();
  else {
    let isGone = false;
    void child.exit.then(() => {
      isGone = true;
    });
    for await (const chunk of io.input) {
      if (isGone || child.stdin.destroyed) break;
      if (!child.stdin.write(chunk)) await Promise.race([once(child.stdin, "drain"), once(child.stdin, "close"), child.exit]);
    }
    child.stdin.end();
  }
  const exit = await child.exit;
  const [seen] = await Promise.all([out, err]);
  if (exit.code === null && exit.signal === null) {
    const cause = await Promise.race([transport.closed, Promise.resolve("it closed in mid-command")]);
    throw fail("CONNECTION_LOST", { host: host.name, user: host.user ?? "", address: host.address, port: host.port ?? 22, driver: transport.driver, cause });
  }
  if (!seen.hasMark) throw fail("HELPER_SILENT", { host: host.name, said: seen.noise.slice(-300) });
  return exit;
}

type Seen = { readonly hasMark: boolean; readonly noise: string };

/** Hands on what comes after the mark; waits for the taker, so that a slow disk slows the host. */
async function drain(stream: Readable, mark: string, take: (data: Buffer) => void | Promise<void>): Promise<Seen> {
  const line = Buffer.from(`\n${mark}\n`);
  let head = Buffer.alloc(0);
  let hasMark = false;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (hasMark) {
        await take(chunk);
        continue;
      }
      head = Buffer.concat([head, chunk]);
      const at = head.indexOf(line);
      if (at >= 0) {
        hasMark = true;
        const rest = head.subarray(at + line.length);
        head = head.subarray(0, at);
        if (rest.length > 0) await take(rest);
      } else if (head.length > NOISE_MAX) head = head.subarray(head.length - NOISE_MAX);
    }
  } catch (error) {
    if (!stream.destroyed || hasMark === false) return { hasMark, noise: head.toString("utf8") };
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
  return { hasMark, noise: head.toString("utf8") };
}
