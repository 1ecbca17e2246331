/** `exec`: one command on all hosts at once, through the controller's warm links or bare SSH. */

import { withFile } from "../../cluster/diag/with-file.ts";
import { EXIT, fail, NexaError } from "../../cluster/errors.ts";
import { quoteAll } from "../../cluster/launch/quote.ts";
import { sanitiseWord, withoutColour } from "../../cluster/sanitise.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { createLineReader } from "../../cluster/view/lines.ts";
import { absoluteReach, type ReachEnv, reachEnv } from "../reach/reach-env.ts";
import type { Client } from "./client.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findDaemon } from "./daemon-start.ts";
import { limitedScript, startLimit, timeoutMs } from "./exec-limit.ts";
import { mayBeRaw, rawOutput } from "./exec-raw.ts";
import { loadHosts } from "./load-cluster.ts";
import { onHosts, type Reached, withHost } from "./reach-host.ts";
import { runScript } from "./remote-script.ts";
import { room } from "./room.ts";

type Ended = { readonly code: number | null; readonly signal: string | null; readonly via: "agent" | "ssh" | "ssh2" | "local"; readonly isTimedOut?: true };
/** Settles when there is room for more. */
type Take = (fd: 1 | 2, data: Uint8Array) => void | Promise<void>;

/** What --json keeps of all output, in bytes. */
const KEEP = 128 * 1024 * 1024;

export const exec: Run = async (context, [file], options) => {
  const argv = context.rest ?? [];
  const [program = ""] = argv;
  if (program === "") throw fail("USAGE", { what: "exec needs a command after --", fix: "nexadist exec -- nvidia-smi -L" });
  if (argv.length === 1) refuseLine(program);
  const limitMs = timeoutMs(options.timeout);
  const { hosts } = loadHosts(context, file, options);
  if (options.raw === true) mayBeRaw(hosts, context.json);
  const client = await findDaemon();
  const kills = new Set<() => void>();
  const onSignal = (): void => {
    for (const kill of kills) kill();
    process.exit(130);
  };
  process.once("SIGINT", onSignal);
  const outputs = new Map<string, Output>();
  const budget = { bytes: KEEP };
  const done = await onHosts(
    hosts,
    async (host) => {
      const output = context.json ? keepOutput(budget) : options.raw === true ? rawOutput() : printOutput(context, host.name);
      outputs.set(host.name, output);
      try {
        return await execOn(host, argv, limitMs, client, context, options, output.take, (kill) => kills.add(kill));
      } finally {
        output.end();
      }
    },
    { isSerial: options.serial === true, onEach: (each) => context.json || tellEnd(context, each, limitMs) },
  );
  process.off("SIGINT", onSignal);
  client?.close();
  if (context.json) {
    context.printJson({
      hosts: done.map((each) => ({ host: each.host.name, ...(each.ok ? each.value : { problem: each.problem }), ...outputs.get(each.host.name)?.kept() })),
    });
  }
  // A host that was reached and could not run it is a command that failed, not a host that is off.
  if (done.some((each) => !each.ok && each.problem.exit !== EXIT.runFailed)) return EXIT.unreachable;
  if (done.some((each) => each.ok && each.value.isTimedOut === true)) return EXIT.timedOut;
  return done.every((each) => each.ok && each.value.code === 0) ? EXIT.ok : EXIT.runFailed;
};

/** A line of shell or of words, quoted into one: nobody splits it. */
function refuseLine(program: string): void {
  const isShell = /[$`;&|<>()*?~'"\\#]/.test(program);
  if (!/[\s$`;&|<>]/.test(program)) return;
  const asShell = `nexadist exec -- sh -c ${quoteAll([program])[0]}`;
  throw fail("USAGE", { what: `${program} is one word, and no shell reads it`, fix: isShell ? asShell : `nexadist exec -- ${program}` });
}

async function execOn(
  host: HostSpec,
  argv: readonly string[],
  limitMs: number | null,
  client: Client | null,
  context: Context,
  options: Parameters<Run>[2],
  take: Take,
  onKill: (kill: () => void) => void,
): Promise<Ended> {
  const limit = startLimit(limitMs);
  try {
    const reach = absoluteReach(reachEnv(context.env), context.cwd);
    const warm = client === null ? null : await limit.within(execWarm(client, host, argv, reach, take, limit.expired));
    if (warm !== null) return limit.judge(warm);
    return await withHost(host, context, options, async (transport) => {
      // The program is the last word of the script: its exit status is the answer. Reaching the host does not count.
      limit.restart();
      const script = `${limitedScript(quoteAll(argv).join(" "), limitMs)}\n`;
      const exit = await limit.within(runScript(transport, host, script, { onOut: (data) => take(1, data), onErr: (data) => take(2, data), onStart: onKill }));
      return limit.judge({ ...exit, via: transport.driver });
    });
  } finally {
    limit.stop();
  }
}

/** null: the controller holds no link to that host. */
async function execWarm(client: Client, host: HostSpec, argv: readonly string[], reach: ReachEnv, take: Take, expired: AbortSignal): Promise<Ended | null> {
  const items = client.stream({ ask: "exec", host, argv, reach }, expired);
  try {
    for (;;) {
      const { done, value } = await items.next();
      if (done === true) return { ...(value as { code: number | null; signal: string | null }), via: "agent" };
      if (value.kind === "output") await take(value.fd, Buffer.from(value.data, "base64"));
    }
  } catch (error) {
    // A controller that goes away before anything ran is no reason not to ask the host itself; EXEC_FAILED is the host's answer.
    if (error instanceof NexaError && error.code === "NO_LINK") return null;
    throw error;
  }
}

/** Who leaves an exec ends the program. */
const STAYS = new AbortController().signal;

export type Output = { readonly take: Take; readonly end: () => void; readonly kept: () => object };

function printOutput(context: Context, name: string): Output {
  const readers = { 1: createLineReader(), 2: createLineReader() };
  const show = (fd: 1 | 2, lines: readonly string[]): void => {
    const stream = fd === 1 ? process.stdout : process.stderr;
    for (const line of lines)
      stream.write(`${sanitiseWord(name)} | ${context.hasColour ? (line.includes("\u001b") ? `${line}\u001b[0m` : line) : withoutColour(line)}\n`);
  };
  return {
    take: async (fd, data) => {
      show(fd, readers[fd].push(data));
      await room(STAYS);
    },
    end: () => {
      show(1, readers[1].end());
      show(2, readers[2].end());
    },
    kept: () => ({}),
  };
}

function keepOutput(budget: { bytes: number }): Output {
  const kept: Record<1 | 2, Buffer[]> = { 1: [], 2: [] };
  let isCut = false;
  return {
    take: (fd, data) => {
      const part = data.subarray(0, budget.bytes);
      if (part.length > 0) kept[fd].push(Buffer.from(part));
      budget.bytes -= part.length;
      if (part.length < data.length) isCut = true;
    },
    end: () => undefined,
    kept: () => ({
      stdout: Buffer.concat(kept[1]).toString("utf8"),
      stderr: Buffer.concat(kept[2]).toString("utf8"),
      isCut,
    }),
  };
}

function tellEnd(context: Context, each: Reached<Ended>, limitMs: number | null): void {
  const name = sanitiseWord(each.host.name);
  if (!each.ok) {
    process.stderr.write(`${aboutHost(each.host.name, each.problem.message)}\n`);
    if (each.problem.hint !== "") context.say(`  try: ${sanitiseWord(withFile(each.problem.hint, context.named))}`);
    return;
  }
  const { code, signal, isTimedOut } = each.value;
  if (isTimedOut === true && limitMs !== null) process.stderr.write(`${name}: ended by us: it took longer than ${formatDuration(limitMs)} (--timeout)\n`);
  else if (code !== 0) process.stderr.write(`${name}: ${signal === null ? `exit ${code}` : `ended by ${signal}`}\n`);
}
