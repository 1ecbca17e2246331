/** Runs the benches one after another and writes docs/figures.json and docs/figures.md. Run as root: scripts/bench/all [BENCH…] */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { type Figure, log } from "./support/figure.ts";
import { formatFigures, type Measured } from "./support/figures-page.ts";
import { REPO } from "./support/stage.ts";

const BENCHES = [
  "first-all-reduce",
  "bootstrap",
  "log-path",
  "version-start",
  "at-rest",
  "exit-event",
  "recover-worker",
  "recover-host",
  "controller-back",
  "parsers",
  "diag",
  "telemetry",
] as const;
const JSON_FILE = join(REPO, "docs/figures.json");

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !BENCHES.some((bench) => bench === name));
if (unknown.length > 0) {
  log(`no such bench: ${unknown.join(", ")}; there are ${BENCHES.join(", ")}`);
  process.exit(2);
}

const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "CPU"}, ${Math.round(totalmem() / 1e9)} GB, Linux ${release().split("-")[0]}, Node ${process.version}`;
const known: Measured[] = existsSync(JSON_FILE) ? (JSON.parse(readFileSync(JSON_FILE, "utf8")) as { figures: Measured[] }).figures : [];
const fresh: Measured[] = [];
let hasFailed = false;
for (const bench of BENCHES.filter((name) => chosen.length === 0 || chosen.includes(name))) {
  log(`# ${bench}`);
  const { stdout, exitCode } = await execa(process.execPath, [join(REPO, `scripts/bench/${bench}.ts`)], { stdin: "ignore", stderr: "inherit", reject: false });
  hasFailed ||= exitCode !== 0;
  const date = new Date().toISOString().slice(0, 10);
  for (const line of stdout.split("\n").filter(Boolean)) fresh.push({ ...(JSON.parse(line) as Figure), date, machine });
}
const order = (one: Measured): number => BENCHES.findIndex((bench) => one.command.includes(bench));
const kept = known.filter((old) => !fresh.some((one) => one.command === old.command));
const figures = [...kept, ...fresh].sort((a, b) => order(a) - order(b));
writeFileSync(JSON_FILE, `${JSON.stringify({ schema: 1, figures }, null, 2)}\n`);
writeFileSync(join(REPO, "docs/figures.md"), formatFigures(figures));
process.exit(hasFailed ? 1 : 0);
