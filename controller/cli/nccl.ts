/** `nccl`: what NCCL tells in its logs, over all ranks: version, networks, which way each pair of ranks goes, and where the hardware has a faster one. */

import { NexaError } from "../../cluster/errors.ts";
import { HARDWARE_LOOK, readHardware, UNKNOWN_HARDWARE } from "../../cluster/nccl/hardware.ts";
import { type Hardware, judgeNccl } from "../../cluster/nccl/judge.ts";
import { readNcclLine } from "../../cluster/nccl/read-line.ts";
import { type NcclSummary, readNccl } from "../../cluster/nccl/summary.ts";
import { ncclJson, ncclLines } from "../../cluster/nccl/words.ts";
import { isOver } from "../../cluster/run/state.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { LogStream } from "../../cluster/viewer.ts";
import { absoluteReach, reachEnv } from "../reach/reach-env.ts";
import type { Client } from "./client.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { readRun } from "./known-run.ts";
import { lookAtRun } from "./open-run.ts";

export const nccl: Run = async (context, [wanted], options) => {
  const { client, run } = await lookAtRun(context, options, wanted);
  const { state } = await readRun(client, run);
  const own = await readLogs(client, run, state.attempt, ["nccl"]);
  // Where the program has set NCCL_DEBUG_FILE or an old host wrote it among the rest.
  const summary = own.ranks.length > 0 ? own : await readLogs(client, run, state.attempt, ["out", "err"]);
  const hosts = new Map(summary.ranks.map(({ rank, host }) => [rank, host]));
  const names = new Set(summary.ranks.map(({ host }) => host));
  const asked = isOver(state) ? [] : state.spec.hosts.filter(({ name }) => names.has(name));
  const hardware = new Map(await Promise.all(asked.map(async (host) => [host.name, await lookAt(client, context, host)] as const)));
  const findings = judgeNccl(summary, hardware);
  if (context.json) context.printJson({ run, ...ncclJson(summary, findings) });
  else if (summary.ranks.length === 0) context.print(`no rank of ${run} wrote a line of NCCL: it runs on CPUs, has not come to it, or NCCL_DEBUG is not INFO`);
  else {
    for (const line of ncclLines(summary, findings, hosts)) context.print(line);
    if (asked.length === 0 && isOver(state)) context.say("the run is over: what its hosts have was not asked, only what NCCL itself says is judged");
  }
  return 0;
};

async function readLogs(client: Client, run: string, attempt: number, streams: readonly LogStream[]): Promise<NcclSummary> {
  const reader = readNccl();
  const want = { hosts: null, ranks: null, streams, attempt, since: null, last: null, follow: false };
  for await (const item of client.stream({ ask: "logs", run, want })) {
    if (item.kind !== "line" || item.line.rank === null || !item.line.text.includes("NCCL")) continue;
    const fact = readNcclLine(item.line.text);
    if (fact !== null) reader.push(item.line.host, item.line.rank, fact);
  }
  return reader.summary();
}

async function lookAt(client: Client, context: Context, host: HostSpec): Promise<Hardware> {
  const parts: Buffer[] = [];
  try {
    const reach = absoluteReach(reachEnv(context.env), context.cwd);
    for await (const item of client.stream({ ask: "exec", host, argv: HARDWARE_LOOK, reach })) {
      if (item.kind === "output" && item.fd === 1) parts.push(Buffer.from(item.data, "base64"));
    }
  } catch (error) {
    if (!(error instanceof NexaError)) throw error;
    return UNKNOWN_HARDWARE;
  }
  return readHardware(Buffer.concat(parts).toString("utf8"));
}
