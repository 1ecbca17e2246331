/** `scripts/chaos`: the fault matrix on a lab of its own, each fault so many times in an order of the seed's, a table at the end; exit 1 on any surprise. */

import { appendFileSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Fault } from "./fault.ts";
import { hostFaults } from "./host-faults.ts";
import { type Luck, luckOf } from "./luck.ts";
import { processFaults } from "./process-faults.ts";
import { asMarkdown, asText } from "./table.ts";
import { type Result, tryFault } from "./trial.ts";
import { openWorld, type World } from "./world.ts";

const FAULTS: readonly Fault[] = [...processFaults, ...hostFaults];
const QUICK = ["rank-kill", "torchrun-kill", "agent-kill", "controller-kill", "two", "rdzv-link-down"];

const HELP = `usage: scripts/chaos [--faults NAME,…] [--repeat N] [--seed S] [--quick] [--minutes M] [--out FILE]

Four hosts with real sshd, torchrun and gloo on this machine; every fault is made on a run that trains, and what comes of it compared with what must.
Needs root. Exit 1 on any surprise. --quick: one each of ${QUICK.join(", ")}.
--minutes: begins no trial after so long. --out: a line of JSON for each trial; with --table FILE only the table of such a file is printed, as Markdown.

${FAULTS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join("\n")}`;

const { values } = parseArgs({
  options: {
    faults: { type: "string" },
    repeat: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    quick: { type: "boolean", default: false },
    minutes: { type: "string", default: "600" },
    out: { type: "string" },
    table: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Surprises end the run that they happened in; the next trial begins another. */
async function one(world: World, fault: Fault, luck: Luck): Promise<Result> {
  let result: Result;
  try {
    result = await tryFault(world, fault, luck);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    result = { fault: fault.name, who: "?", run: "", attempt: 0, outcome: "broken off", detectMs: null, recoverMs: null, surprises: [text], timeline: "" };
  }
  if (result.surprises.length > 0) await world.mend();
  return result;
}

const inSeconds = (ms: number | null): string => (ms === null ? "-" : `${(ms / 1000).toFixed(2)} s`);

async function all(): Promise<number> {
  const names = values.quick ? QUICK : (values.faults?.split(",") ?? FAULTS.map(({ name }) => name));
  const chosen = names.map((name) => FAULTS.find((fault) => fault.name === name) ?? say(`no such fault: ${name}`));
  const faults = chosen.filter((fault) => fault !== undefined);
  if (faults.length < chosen.length) return 2;
  const luck = luckOf(Number(values.seed));
  const rounds = Array.from({ length: values.quick ? 1 : Number(values.repeat) }, () => luck.shuffle(faults));
  const order = rounds.flat();
  const results: Result[] = [];
  const until = Date.now() + Number(values.minutes) * 60_000;
  const world = await openWorld();
  const interrupted = (): void => void world.end().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  try {
    for (const fault of order) {
      if (Date.now() > until) break;
      const result = await one(world, fault, luck);
      results.push(result);
      if (values.out !== undefined) appendFileSync(values.out, `${JSON.stringify(result)}\n`);
      say(
        `${results.length}/${order.length} ${fault.name} (${result.who}): ${result.outcome}; seen ${inSeconds(result.detectMs)}, again ${inSeconds(result.recoverMs)}`,
      );
      for (const surprise of result.surprises) say(`  SURPRISE in ${result.run}: ${surprise}`);
    }
  } finally {
    await world.end();
  }
  console.log(asText(FAULTS, results));
  const bad = results.filter((result) => result.surprises.length > 0).length;
  console.log(`${results.length} trials, seed ${values.seed}: ${bad === 0 ? "no surprise" : `${bad} with surprises`}`);
  return bad === 0 ? 0 : 1;
}

if (values.help) console.log(HELP);
else if (values.table !== undefined) {
  const results = readFileSync(values.table, "utf8").split("\n").filter(Boolean);
  console.log(
    asMarkdown(
      FAULTS,
      results.map((line) => JSON.parse(line) as Result),
    ),
  );
} else process.exitCode = await all();
