/** Run by journal.test.ts where writing fails for real: argv is the case and the directory; prints one line of JSON. */

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { driveRun } from "../../../controller/daemon/driver.ts";
import { openJournal, readLines } from "../../../controller/daemon/journal.ts";
import type { Keeper } from "../../../controller/daemon/keeper.ts";
import { openLogStore } from "../../../controller/daemon/log-store.ts";
import { SPEC } from "../../support/fake-controller.ts";

const [what = "", dir = ""] = process.argv.slice(2);
const path = join(dir, "journal.jsonl");
const seen = (at: number, more = "") => ({ event: { at, type: "host-unseen", host: "gpu-a", why: `x${more}` } }) as const;
const onDisk = (): { lines: number; torn: number } => {
  const bytes = readFileSync(path);
  const { lines, length } = readLines(bytes);
  return { lines: lines.length, torn: bytes.length - length };
};
const codeOf = (act: () => void): string => {
  try {
    act();
    return "";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};
/** Writes until the disk takes nothing more. */
const fill = (): void => {
  for (const size of [64 * 1024, 4096])
    for (let k = 0; codeOf(() => writeFileSync(join(dir, `fill.${size}.${k}`), Buffer.alloc(size), { flush: true })) === ""; ) k += 1;
};
const makeRoom = (): void => rmSync(join(dir, "fill.65536.0"));

/** Appends of many sizes until one fails: what is on disk must be what `lines` says, whatever was cut in two. */
function cutWrites(): object {
  const journal = openJournal(dir);
  const codes = new Set<string>();
  let wrong = 0;
  for (let k = 0; k < 400 && codes.size === 0; k += 1) {
    const code = codeOf(() => journal.append([seen(k), seen(k, "y".repeat((k * 37) % 900)), seen(k)]));
    if (code !== "") codes.add(code);
    const found = onDisk();
    if (found.torn > 0 || found.lines !== journal.lines.length || found.lines % 3 !== 0) wrong += 1;
  }
  for (let k = 0; k < 20; k += 1) codeOf(() => journal.append([seen(k, "z".repeat(2000))]));
  const { lines, torn } = onDisk();
  const small = codeOf(() => journal.append([seen(9)]));
  return { codes: [...codes], wrong, lines, torn, kept: journal.lines.length - (small === "" ? 1 : 0), size: readFileSync(path).length };
}

/** A full disk takes one stop more, by what was kept back; then nothing, until there is room. */
function reserve(): object {
  const journal = openJournal(dir);
  journal.append([seen(1)]);
  const had = existsSync(join(dir, "reserve"));
  fill();
  // What the last block of the file still takes.
  const stop: RunEvent = { at: 2, type: "stop-requested", by: "me", why: "w".repeat(5000), graceMs: 0 };
  const first = codeOf(() => journal.append([{ event: stop }]));
  const left = existsSync(join(dir, "reserve"));
  fill();
  const second = codeOf(() => journal.append([seen(3, "x".repeat(8000))]));
  const full = onDisk();
  makeRoom();
  const third = codeOf(() => journal.append([seen(4, "x".repeat(8000))]));
  return { had, first, left, second, full, third, lines: onDisk().lines, kept: journal.lines.map((line) => line.event.type) };
}

/** The driver: nothing is decided on what is not on disk, and it goes on by itself when there is room. */
async function driver(): Promise<object> {
  const journal = openJournal(dir);
  journal.append([{ event: { at: 1, type: "requested", spec: SPEC, by: "t" } }, { event: { at: 1, type: "controller-started", controller: "c", epoch: 1 } }]);
  const notices: string[] = [];
  const said: string[] = [];
  const keeper: Keeper = { current: () => null, listen: () => () => undefined, hurry: () => undefined, close: () => undefined };
  const run = driveRun({
    dir,
    journal,
    logs: openLogStore(join(dir, "logs")),
    keeper: () => keeper,
    telemetry: { begin: () => undefined, totals: () => ({ gpuHours: 0, energyKwh: null, measuredShare: null }) },
    controller: "c",
    lent: { env: {}, agentSocket: null, acceptNewHostKeys: false },
    snapshot: () => Promise.resolve(null),
    onLine: ({ event }) => said.push(event.type),
    onBytes: () => undefined,
    notice: (_, text) => void notices.push(text),
    isAwake: () => true,
    onSettled: () => undefined,
    onDone: () => said.push("done"),
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  fill();
  rmSync(join(dir, "reserve"), { force: true });
  fill();
  const unseen = (host: string): RunEvent => ({ at: 5, type: "host-unseen", host, why: "w".repeat(6000) });
  run.apply(unseen("gpu-a"));
  await turn();
  run.apply({ at: 6, type: "stop-requested", by: "me", why: "w".repeat(6000), graceMs: 0 });
  await turn();
  const during = { phase: run.state().phase, isTold: run.state().hosts["gpu-a"]?.unseenWhy.startsWith("w"), said: [...said], lines: onDisk() };
  makeRoom();
  const deadline = Date.now() + 20_000;
  while (!said.includes("done") && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  return { during, notices, phase: run.state().phase, said, types: readLines(readFileSync(path)).lines.map((line) => line.event.type) };
}

process.on("SIGXFSZ", () => undefined);
const cases: Record<string, () => object | Promise<object>> = { cutWrites, reserve, driver };
const answer = await cases[what]?.();
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
