/**
 * A rank is killed: until all ranks take a step again, against an outside supervisor, a loop of sh that relaunches ssh + torchrun at once. Same hosts, same
 * script, in turn, neither waits before it tries again. Goal: a ratio of at most 1.10. Run as root: node scripts/bench/recover-worker.ts [PAIRS]
 */

import { judgeRatio, log, report, spread } from "./support/figure.ts";
import { COUPLED, nthSteps, stopRun, upDetached } from "./support/first-steps.ts";
import { collect, type Stage, withStage } from "./support/stage.ts";

const PAIRS = Number(process.argv[2] ?? 5);
const GOAL = 1.1;

/** Ms from the kill of rank 1 to the first step of the slower rank. */
async function killAndWait(stage: Stage, word: string): Promise<number> {
  const { hosts } = stage.lab;
  const before = await nthSteps(hosts, word, 1);
  const at = Date.now();
  await hosts[1]?.run(["kill", "-9", `${before[1]?.pid}`]);
  const after = await nthSteps(hosts, word, 2);
  return Math.max(...after.map((first) => first.at)) - at;
}

async function ours(stage: Stage, word: string): Promise<number> {
  const run = await upDetached(stage, ["cluster.yaml", "--", "coupled.py", word]);
  try {
    return await killAndWait(stage, word);
  } finally {
    await stopRun(stage, run);
  }
}

/** Ends the launch everywhere as soon as one host's torchrun has ended, then begins again. */
function supervisor(addresses: readonly string[], word: string, port: number): string {
  const [first = ""] = addresses;
  const common = `--nnodes=${addresses.length} --nproc-per-node=1 --rdzv-backend=c10d --rdzv-id=${word} --rdzv-endpoint=${first}:`;
  const launch = addresses.map(
    (address, k) =>
      `ssh ${address} "GLOO_SOCKET_IFNAME=eth0 OMP_NUM_THREADS=1 torchrun ${common}$port --rdzv-conf=is_host=${k === 0} --local-addr=${address} coupled.py ${word}" &`,
  );
  const end = addresses.map((address) => `ssh ${address} "pkill -9 -f '[c]oupled.py ${word}'" &`);
  return `port=${port}
while [ ! -e stop-${word} ]; do port=$((port + 1)); ${launch.join(" ")} wait -n; ${end.join(" ")} wait; done`;
}

let port = 29_300;
async function byHand(stage: Stage, word: string): Promise<number> {
  port += 10;
  const child = stage.spawn([
    "bash",
    "-c",
    supervisor(
      stage.lab.hosts.map(({ address }) => address),
      word,
      port,
    ),
  ]);
  const ended = collect(child);
  try {
    return await killAndWait(stage, word);
  } finally {
    stage.write(`stop-${word}`, "");
    for (const host of stage.lab.hosts) await host.run(["pkill", "-9", "-f", `coupled.py ${word}`]);
    await ended;
  }
}

await withStage({ hosts: 2, gpus: 0, options: { "*": { path: "train" } } }, async (stage) => {
  const entries = stage.lab.hosts.map(({ address }) => `{host: ${address}, slots: 1}`).join(", ");
  stage.write("cluster.yaml", `cluster: [${entries}]\ndefaults: {gpus: 0}\nrestart: {backoff: 0s}\n`);
  const script = stage.write("coupled.py", COUPLED);
  for (const { address } of stage.lab.hosts) await stage.run(["scp", "-q", script, `${address}:coupled.py`]);
  const rounds: { ours: number; hand: number }[] = [];
  for (let k = 0; k < PAIRS; k++) {
    const [a, b] = k % 2 === 0 ? [ours, byHand] : [byHand, ours];
    const one = await a(stage, `w${k}a`);
    const other = await b(stage, `w${k}b`);
    const round = k % 2 === 0 ? { ours: one, hand: other } : { ours: other, hand: one };
    rounds.push(round);
    log(`ours ${(round.ours / 1000).toFixed(2)} s, the loop ${(round.hand / 1000).toFixed(2)} s`);
  }
  const ratios = rounds.map((round) => round.ours / round.hand);
  const seconds = (pick: "ours" | "hand"): string => spread(rounds.map((round) => round[pick] / 1000));
  report({
    figure: "a rank is killed, until all ranks take a step again, against a loop that relaunches ssh + torchrun",
    goal: `<= ${GOAL.toFixed(2)}`,
    measured: `${spread(ratios)}; ${seconds("ours")} s against ${seconds("hand")} s, ${PAIRS} pairs`,
    isMet: judgeRatio(
      ratios,
      rounds.map((round) => round.hand),
      GOAL,
    ),
    command: "node scripts/bench/recover-worker.ts",
  });
});
process.exit(0);
