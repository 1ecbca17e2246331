/**
 * What a run costs while nothing happens: memory of an idle agent (goal: RSS at most 80 MB) and of a shim (at most 20 MB), and how fast
 * `ps` answers from a running controller (at most 250 ms). Run as root: node scripts/bench/at-rest.ts
 */

import { execFileSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { median, report, spread } from "./support/figure.ts";
import { type Stage, withStage } from "./support/stage.ts";

const ASKED = 15;
const IDLE_MS = 20_000;
const COMMAND = "node scripts/bench/at-rest.ts";

type Memory = { readonly rssMb: number; readonly pssMb: number };

/** Of the one process on the first host whose command line holds `program`; kernel's kB as MB of 1000 kB. */
async function memoryOf(stage: Stage, program: string): Promise<Memory> {
  const look = `for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/cmdline 2>/dev/null | grep -q '/${program}$' && cat $p/status $p/smaps_rollup; done`;
  const { stdout } = (await stage.lab.hosts[0]?.run(["sh", "-c", look])) ?? { stdout: "" };
  const found = [...stdout.matchAll(/^VmRSS:\s+(\d+)/gm)];
  const pss = /^Pss:\s+(\d+)/m.exec(stdout)?.[1];
  if (found.length !== 1 || pss === undefined) throw new Error(`${found.length} processes of ${program}`);
  return { rssMb: Number(found[0]?.[1]) / 1000, pssMb: Number(pss) / 1000 };
}

function reportMemory(figure: string, limitMb: number, { rssMb, pssMb }: Memory): void {
  report({
    figure,
    goal: `<= ${limitMb} MB RSS`,
    measured: `RSS ${rssMb.toFixed(1)} MB, PSS ${pssMb.toFixed(1)} MB`,
    isMet: rssMb <= limitMb,
    command: COMMAND,
  });
}

await withStage({ hosts: 1 }, async (stage) => {
  const host = stage.lab.hosts[0]?.address ?? "";
  const file = stage.write("cluster.yaml", `cluster:\n  - host: ${host}\n    gpus: 0\n    slots: 2\nbackend: command\n`);
  await stage.run([stage.nexadist, "up", file, "--", "true"]);
  await delay(IDLE_MS);
  reportMemory("memory of an idle agent, its link open", 80, await memoryOf(stage, "agent.mjs"));
  const { text } = await stage.run([stage.nexadist, "up", "-d", file, "--", "sleep", "300"]);
  const run = /train_[\w]+/.exec(text)?.[0] ?? "";
  await delay(IDLE_MS);
  reportMemory("memory of a shim", 20, await memoryOf(stage, "shim.py"));
  // Asked from outside the lab: the controller's socket is a file, and `scripts/lab exec` would be measured too.
  const env = { ...process.env, ...stage.env };
  const bare: number[] = []; // how fast this machine starts a Node at that very time
  const times = Array.from({ length: ASKED }, () => {
    const bareBegun = performance.now();
    execFileSync(process.execPath, ["-e", "0"]);
    const begun = performance.now();
    bare.push(begun - bareBegun);
    const said = execFileSync(stage.nexadist, ["ps"], { env, encoding: "utf8" });
    if (!said.includes(run)) throw new Error(said);
    return performance.now() - begun;
  });
  report({
    figure: "`nexadist ps` against a running controller",
    goal: "<= 250 ms",
    measured: `${spread(times, 0)} ms, ${ASKED} times; in turn with \`node -e 0\`: ${spread(bare, 0)} ms`,
    isMet: median(times) <= 250,
    command: COMMAND,
  });
  await stage.run([stage.nexadist, "stop", "--now", run]);
});
process.exit(0);
