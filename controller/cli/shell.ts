/** `shell HOST`: an interactive login shell there; the terminal is as before afterwards. */

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fail } from "../../cluster/errors.ts";
import type { RemoteExit } from "../reach/transport.ts";
import { namedHost } from "./ad-hoc-host.ts";
import type { Run } from "./commands.ts";
import { reachHost } from "./reach-host.ts";

/** Valid in sh, csh and fish: the person's own shell, as a login shell. */
const SHELL_COMMAND = `exec sh -c 'exec "\${SHELL:-sh}" -l'`;

export const shell: Run = async (context, [name], options) => {
  const host = await namedHost(context, String(name));
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) throw fail("NEEDS_TERMINAL", { what: "shell", fix: `nexadist exec --host ${host.name} -- COMMAND` });
  if (host.transport === "local") return localShell(context.env);
  const transport = await reachHost(host, context, options);
  const child = await transport.exec(SHELL_COMMAND, { pty: { columns: stdout.columns, rows: stdout.rows, term: context.env.TERM ?? "xterm" } });
  const resize = (): void => child.resize(stdout.columns, stdout.rows);
  stdout.on("resize", resize);
  stdin.setRawMode(true);
  const restore = (): void => {
    stdin.setRawMode(false);
    stdin.pause();
  };
  process.once("exit", restore);
  try {
    child.stdin.on("error", () => undefined);
    stdin.on("data", (data) => void child.stdin.write(data));
    child.stdout.on("data", (data: Buffer) => void stdout.write(data)); // a terminal asked for by the person: bytes as they are
    child.stderr.on("data", (data: Buffer) => void process.stderr.write(data));
    const exit = await child.exit;
    if (exit.code === null && exit.signal === null) throw fail("LINK_LOST", { host: host.name, why: "the connection closed" });
    return statusOf(exit);
  } finally {
    stdout.off("resize", resize);
    process.off("exit", restore);
    restore();
    transport.close();
  }
};

async function localShell(env: NodeJS.ProcessEnv): Promise<number> {
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore); // the shell's
  const child = spawn(env.SHELL ?? "sh", ["-l"], { stdio: "inherit", env });
  const exit = await new Promise<RemoteExit>((resolve, reject) => child.once("error", reject).once("exit", (code, signal) => resolve({ code, signal })));
  process.off("SIGINT", ignore);
  return statusOf(exit);
}

/** The shell's own, as ssh hands it on: who typed `exit 3` is told 3. */
function statusOf({ code, signal }: RemoteExit): number {
  const number = Object.entries(constants.signals).find(([name]) => name === signal || name === `SIG${signal}`)?.[1];
  return code ?? 128 + (number ?? 0);
}
