/**
 * `up` on warm agents to the first all-reduce of all ranks, against ssh + torchrun started in parallel by hand: same hosts, same script,
 * alternating. Goal: a ratio of at most 1.10. Run as root: node scripts/bench/first-all-reduce.ts [PAIRS]
 */

import { judgeRatio, log, report, spread } from "./support/figure.ts";
import { type Stage, withStage } from "./support/stage.ts";

const PAIRS = Number(process.argv[2] ?? 7);
const RANKS_PER_HOST = 2;
const GOAL = 1.1;

const SCRIPT = `import time
began = time.time()
import torch
import torch.distributed as dist
loaded = time.time()
dist.init_process_group("gloo")
one = torch.ones(1)
dist.all_reduce(one)
print(f"REDUCED {dist.get_world_size()} {one.item():.0f} {time.time():.3f} BEGAN {began:.3f} LOADED {loaded:.3f}", flush=True)
dist.destroy_process_group()
`;

let typedAt = 0;

/** Seconds from the typed command to the last rank's word. */
async function time(stage: Stage, argv: readonly string[]): Promise<number> {
  const { code, text } = await stage.run(["sh", "-c", 'echo "TYPED $(date +%s.%N)"; exec "$@"', "sh", ...argv]);
  const typed = Number(/TYPED (\S+)/.exec(text)?.[1]);
  typedAt = typed * 1000;
  const world = stage.lab.hosts.length * RANKS_PER_HOST;
  const reduced = [...text.matchAll(/REDUCED (\d+) (\d+) ([\d.]+)/g)].filter((found) => Number(found[1]) === world && Number(found[2]) === world);
  if (code !== 0 || reduced.length !== world) throw new Error(`exit ${code}, ${reduced.length} ranks of ${world} reduced:\n${text}`);
  const latest = (word: string): string =>
    (Math.max(...[...text.matchAll(new RegExp(`${word} ([\\d.]+)`, "g"))].map((found) => Number(found[1]))) - typed).toFixed(2);
  log(`  from the typed command: ranks began ${latest("BEGAN")} s, had torch ${latest("LOADED")} s`);
  return Math.max(...reduced.map((found) => Number(found[3]))) - typed;
}

/** Printed for the slowest part to be seen: ms from the typed command to each event of the run. */
function milestones(stage: Stage): string {
  const lines = stage.journal(stage.latest());
  const from = typedAt;
  const seen = new Map<string, number>();
  for (const { event } of lines) seen.set(event.type, Math.round(event.at - from));
  return [...seen].map(([type, at]) => `${type} ${at}`).join(", ");
}

await withStage({ hosts: 2, options: { "*": { path: "train" } } }, async (stage) => {
  const [first, second] = stage.lab.hosts.map((host) => host.address);
  const file = stage.write("cluster.yaml", (await stage.lab.clusterYaml()).replace(/slots: \d+/g, `slots: ${RANKS_PER_HOST}`));
  const script = stage.write("first.py", SCRIPT);
  for (const host of stage.lab.hosts) await stage.run(["scp", "-q", script, `${host.address}:first.py`]);
  const ours = async () => {
    const seconds = await time(stage, [stage.nexadist, "up", file, "--", "first.py"]);
    log(`  ${milestones(stage)}`);
    return seconds;
  };
  let port = 29100;
  const byHand = (environment = "") => {
    port += 1;
    // Spelled out as a person must on hosts whose names do not resolve: torchrun else guesses who serves the store.
    const common = `--nnodes=2 --nproc-per-node=${RANKS_PER_HOST} --rdzv-backend=c10d --rdzv-id=${port} --rdzv-endpoint=${first}:${port}`;
    const on = (address: string | undefined, isHost: boolean) =>
      `timeout 60 ssh ${address} ${environment} GLOO_SOCKET_IFNAME=eth0 OMP_NUM_THREADS=1 torchrun ${common} --rdzv-conf=is_host=${isHost} --local-addr=${address} first.py`;
    return time(stage, ["sh", "-c", `${on(first, true)} & ${on(second, false)}; wait`]);
  };
  log(`to warm up: ours ${(await ours()).toFixed(2)} s, by hand ${(await byHand()).toFixed(2)} s`);
  const rounds: { ours: number; hand: number; likeOurs: number }[] = [];
  for (let k = 0; k < PAIRS; k++) {
    const [one, hand] = k % 2 === 0 ? [await ours(), await byHand()] : [await byHand(), await ours()].reverse();
    const likeOurs = await byHand("TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1");
    rounds.push({ ours: one ?? 0, hand: hand ?? 0, likeOurs });
    log(`ours ${one?.toFixed(2)} s, by hand ${hand?.toFixed(2)} s, with the store on rank 0 ${likeOurs.toFixed(2)} s`);
  }
  for (const [what, other] of [
    ["", "hand"],
    [" that hosts its store on rank 0, as ours does", "likeOurs"],
  ] as const) {
    const ratios = rounds.map((round) => round.ours / round[other]);
    report({
      figure: `\`up\` on warm agents to the first all-reduce, against ssh + torchrun by hand${what}`,
      goal: `<= ${GOAL.toFixed(2)}`,
      measured: `${spread(ratios)}; ${spread(rounds.map((r) => r.ours))} s against ${spread(rounds.map((r) => r[other]))} s, ${PAIRS} pairs`,
      isMet: judgeRatio(
        ratios,
        rounds.map((round) => round[other]),
        GOAL,
      ),
      command: "node scripts/bench/first-all-reduce.ts",
    });
  }
});
process.exit(0);
