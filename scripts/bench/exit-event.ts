/**
 * From the exit of a rank to the controller's journaled event, p99; goal at most 250 ms, also when a sibling ignores SIGTERM.
 * Run as root: node scripts/bench/exit-event.ts
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { quantile, report } from "./support/figure.ts";
import { type Stage, withStage } from "./support/stage.ts";

const HOSTS = 2;
const RANKS_PER_HOST = 50;
const RUNS = 2;
const COMMAND = "node scripts/bench/exit-event.ts";

/** Each says when it ends, then does. */
const CLEAN = "sleep $((4 + RANK / 20)).$((RANK % 20 * 5)); date +%s%N; exit 0";
/**
 * Rank 0 is killed; told to end, the others are killed one after another, but for rank 1, which ignores the order until the grace is over.
 */
const KILLED = `case $RANK in
0) sleep 4; date +%s%N; kill -9 $$ ;;
1) trap "" TERM; while :; do sleep 1; done ;;
*) trap 'sleep $((RANK / 20)).$((RANK % 20 * 5)); date +%s%N; kill -9 $$' TERM; while :; do sleep 100 & wait $!; done ;;
esac`;

const clusterOf = (stage: Stage, script: string): string =>
  JSON.stringify({
    defaults: { gpus: 0, slots: RANKS_PER_HOST },
    cluster: stage.lab.hosts.map((host) => ({ host: host.address })),
    backend: "command",
    timeouts: { stop_grace: "12s" },
    job: { command: ["sh", "-c", script], per: "gpu" },
  });

/** Milliseconds from each rank's last word to the journal's line of its exit. */
async function measure(stage: Stage, script: string): Promise<number[]> {
  const { text } = await stage.run([stage.nexadist, "up", stage.write("exits.yaml", clusterOf(stage, script))]);
  const run = stage.latest();
  const found: number[] = [];
  for (const { event } of stage.journal(run)) {
    if (event.type !== "rank-exited") continue;
    const path = join(stage.stateDir, "runs", run, "logs/a1", String(event.host), `rank${event.rank}.out`);
    try {
      const said = Number(readFileSync(path, "utf8").trim()) / 1e6;
      if (said > 0) found.push(event.at - said);
    } catch {
      // It said nothing: rank 1.
    }
  }
  if (found.length < HOSTS * RANKS_PER_HOST - 1) throw new Error(`${found.length} exits were seen:\n${text}`);
  return found;
}

await withStage({ hosts: HOSTS }, async (stage) => {
  for (const [what, script] of [
    ["ranks that end well", CLEAN],
    ["ranks that are killed while a sibling ignores SIGTERM", KILLED],
  ] as const) {
    const found: number[] = [];
    for (let k = 0; k < RUNS; k++) found.push(...(await measure(stage, script)));
    const at = (share: number): string => quantile(found, share).toFixed(0);
    report({
      figure: `exit of a rank to the controller's event, ${what}`,
      goal: "p99 <= 250 ms",
      measured: `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms of ${found.length} exits`,
      isMet: quantile(found, 0.99) <= 250,
      command: COMMAND,
    });
  }
});
process.exit(0);
