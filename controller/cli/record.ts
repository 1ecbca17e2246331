/** `record`: a run in one file, to be looked at elsewhere: journal, logs and telemetry, without secrets and within bounds. */

import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { fail } from "../../cluster/errors.ts";
import { keepLines, thinPoints } from "../../cluster/recording/bound.ts";
import { FORMAT, type TimedPoint } from "../../cluster/recording/recording.ts";
import { scrub, scrubLines } from "../../cluster/recording/scrub.ts";
import { createRowWriter } from "../../cluster/recording/write.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { SecretValues } from "../../cluster/spec.ts";
import { formatBytes } from "../../cluster/view/bytes.ts";
import type { LogLine, SamplesAnswer } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { readRun } from "./known-run.ts";
import { loadRun } from "./load-cluster.ts";
import { lookAtRun } from "./open-run.ts";
import { version } from "./version.ts";
import { whyNot } from "./why-not.ts";

/** Of all logs, in characters, and of all points, in numbers: what a viewer holds in memory. */
const LINES_MOST = 64 * 1024 * 1024;
const POINTS_MOST = 100_000;

export const record: Run = async (context, [wanted], options) => {
  const { client, run } = await lookAtRun(context, options, wanted);
  const name = typeof options.output === "string" ? options.output : `${run}.nexarec`;
  const path = resolve(context.cwd, name);
  if (existsSync(path) && !context.yes)
    throw fail("USAGE", { what: `${name} is there already`, fix: `nexadist record ${run} -o ANOTHER, or -y to write over it` });
  const { state, events } = await readRun(client, run);
  const secrets = secretsOf(context, state.spec.file);
  const cut: string[] = [];
  const hidden = scrubLines(secrets ?? {});
  const lines: LogLine[] = [];
  const attempts = Math.max(1, state.attempt);
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const { kept, left } = await readAttempt(client, run, attempt, LINES_MOST / attempts, hidden);
    for (const line of kept) lines.push(line);
    if (left > 0) cut.push(`${left} log lines of attempt ${attempt}, from its middle`);
  }
  const { points, left } = await readPoints(client, run);
  if (left > 0) cut.push(`${left} samples of hosts, the older ones`);

  const write = createRowWriter();
  const rows = [write.head({ recording: "nexadist", format: FORMAT, version: version(), run, madeAt: Date.now(), cut })];
  for (const event of await readEvents(client, run, events)) rows.push(write.event(scrub(event, secrets ?? {})));
  for (const line of lines) rows.push(write.line(line));
  for (const point of points) rows.push(write.point(scrub(point, secrets ?? {})));
  rows.push(write.end());
  const bytes = gzipSync(Buffer.from(rows.join("")), { level: 9 });
  save(path, name, bytes);

  const about = { file: path, bytes: bytes.length, run, events, lines: lines.length, samples: points.length, cut, knewSecrets: secrets !== null };
  if (context.json) context.printJson(about);
  else {
    context.say(`wrote ${name} (${formatBytes(bytes.length)}): ${events} events, ${lines.length} log lines, ${points.length} samples of its hosts`);
    for (const what of cut) context.say(`  left out: ${what}`);
    const values = secrets === null ? "" : "values known as secrets and ";
    context.say(`  ${values}what looks like a secret is removed; look it through before you send it: zcat < ${name}`);
    context.say(`  see it anywhere: nexadist replay ${name}`);
  }
  return 0;
};

/** Those of the cluster file, where it is still there; null: not known. */
function secretsOf(context: Context, file: string | null): SecretValues | null {
  try {
    return file === null ? null : loadRun(context, file, {}, new Date()).secrets;
  } catch {
    return null; // what looks like a secret is removed all the same
  }
}

async function readEvents(client: Client, run: string, count: number): Promise<readonly RunEvent[]> {
  const found: RunEvent[] = [];
  for await (const item of client.stream({ ask: "watch", run, from: 0, logs: false })) {
    if (item.kind === "event") found.push(item.event);
    if (found.length >= count) break;
  }
  return found;
}

async function readAttempt(client: Client, run: string, attempt: number, most: number, hidden: (line: LogLine) => LogLine) {
  const keeper = keepLines(most);
  const want = { hosts: null, ranks: null, streams: ["out", "err", "nccl", "launcher"] as const, attempt, since: null, last: null, follow: false };
  for await (const item of client.stream({ ask: "logs", run, want: { ...want, wholeLines: true } })) if (item.kind === "line") keeper.push(hidden(item.line));
  const { lines: kept, left } = keeper.end();
  return { kept, left };
}

async function readPoints(client: Client, run: string): Promise<{ readonly points: readonly TimedPoint[]; readonly left: number }> {
  const items = client.stream({ ask: "samples", run, since: 0 });
  const byHost = new Map<string, TimedPoint[]>();
  for (;;) {
    const { done, value } = await items.next();
    if (done === true) {
      // A host's clock may be off: what it told last and when that came here tell by how much.
      const off = new Map((value as SamplesAnswer).hosts.map(({ host, at, heardAt }) => [host, heardAt === null ? 0 : heardAt - at]));
      const hosts = [...byHost.values()];
      const kept = hosts.flatMap((own) => thinPoints(own, Math.max(2, Math.floor(POINTS_MOST / hosts.length))));
      const points = kept.map((one) => ({ ...one, heardAt: Math.max(0, one.heardAt + (off.get(one.host) ?? 0)) }));
      return { points, left: hosts.reduce((sum, own) => sum + own.length, 0) - kept.length };
    }
    if (value.kind !== "sample") continue;
    const { host, point } = value;
    byHost.set(host, byHost.get(host) ?? []);
    byHost.get(host)?.push({ host, heardAt: point.at, point });
  }
}

/** Whole, or not at all. */
function save(path: string, name: string, bytes: Uint8Array): void {
  const half = `${path}.${process.pid}.part`;
  try {
    writeFileSync(half, bytes, { mode: 0o600 });
    renameSync(half, path);
  } catch (error) {
    rmSync(half, { force: true });
    throw fail("USAGE", { what: `${name} cannot be written: ${whyNot(error)}`, fix: "name another file: nexadist record -o FILE" }, error);
  }
}
