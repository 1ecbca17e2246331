/** Tells a socket that is absent from one that sshd would not forward: OpenSSH answers both with the same reason. */

import type { Transport } from "./transport.ts";

/** The path comes on stdin: a constant command, the same in sh, csh and fish. */
const LOOK = `sh -c 'read -r p; if test -S "$p"; then echo nexadist-socket-present; else echo nexadist-socket-absent; fi'`;

export async function isSocketAbsent(exec: Transport["exec"], path: string): Promise<boolean> {
  try {
    const process = await exec(LOOK);
    let text = "";
    process.stdout.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString("latin1")).slice(-4_096);
    });
    process.stderr.resume();
    process.stdin.end(`${path}\n`);
    const ended = new Promise((resolve) => process.stdout.once("end", resolve).once("close", resolve));
    await Promise.all([process.exit, ended]);
    return text.includes("nexadist-socket-absent");
  } catch {
    return false; // unsure: the caller's way round works in both cases
  }
}
