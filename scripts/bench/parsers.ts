/** Every parser on every captured sample (goal: none takes over 1 ms of CPU). Run: node scripts/bench/parsers.ts */

import { readFieldHelp } from "../../cluster/nvidia/fields.ts";
import { readGpuTable } from "../../cluster/nvidia/gpu-row.ts";
import { readGpuEvents } from "../../cluster/nvidia/kernel-log.ts";
import { readListing } from "../../cluster/nvidia/listing.ts";
import { smiTrouble } from "../../cluster/nvidia/problem.ts";
import { readPeerAccess, readTopology } from "../../cluster/nvidia/topology.ts";
import { readVersion } from "../../cluster/nvidia/version.ts";
import { readSampleFile, readSamples } from "../../test/support/samples.ts";
import { log, report } from "./support/figure.ts";

const ROUNDS = 1000;
const GOAL_MS = 1;

type Case = { readonly name: string; readonly act: () => unknown };

const of = (file: string, parse: (text: string) => unknown): readonly Case[] =>
  readSamples(`nvidia/${file}`).map(({ title, text }) => ({ name: `${file}: ${title}`, act: () => parse(text) }));
const lines = readSampleFile("nvidia/dmesg-xid.txt").split("\n");
const topology = readSampleFile("nvidia/topo-m-8xH100.txt");
const cases: readonly Case[] = [
  ...of("csv-good.txt", (text) => readGpuTable(text)),
  ...of("csv-allfields.txt", (text) => readGpuTable(text)),
  ...of("list-version.txt", (text) => [readListing(text), readVersion(text)]),
  ...of("table.txt", (text) => [readVersion(text), smiTrouble(text, "", 1)]),
  ...of("query-aliases.txt", readFieldHelp),
  ...of("topo-p2p.txt", readPeerAccess),
  { name: "topo-m-8xH100.txt", act: () => readTopology(topology) },
  { name: "dmesg-xid.txt", act: () => readGpuEvents(lines) },
];

let worst = { name: "", ms: 0 };
for (const { name, act } of cases) {
  // As warm as one that reads once a second.
  for (let round = 0; round < ROUNDS; round++) act();
  // CPU, not time, for what else the machine does is not the parser's; over many calls, for that clock is coarse.
  const begun = process.threadCpuUsage();
  for (let round = 0; round < ROUNDS; round++) act();
  const { user, system } = process.threadCpuUsage(begun);
  const ms = (user + system) / 1000 / ROUNDS;
  log(`  ${ms.toFixed(3)} ms ${name}`);
  if (ms > worst.ms) worst = { name, ms };
}
report({
  figure: "the slowest parser on its slowest sample",
  goal: `<= ${GOAL_MS} ms`,
  measured: `${worst.ms.toFixed(3)} ms (${worst.name.replace(/ {2,}.*/, "")}), ${cases.length} samples`,
  isMet: worst.ms <= GOAL_MS,
  command: "node scripts/bench/parsers.ts",
});
