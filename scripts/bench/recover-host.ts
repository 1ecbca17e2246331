/**
 * The cable of the rendezvous host is pulled: from the moment that it counts as lost until all ranks take a step on the hosts that are left and a spare.
 * Goal: at most 6 s. Of it, what is not the start of torch, is told apart. Run as root: node scripts/bench/recover-host.ts [ROUNDS]
 */

import { log, median, report, spread } from "./support/figure.ts";
import { COUPLED, nthSteps, stopRun, upDetached } from "./support/first-steps.ts";
import { withStage } from "./support/stage.ts";

const ROUNDS = Number(process.argv[2] ?? 3);
const GOAL_S = 6;
const COMMAND = "node scripts/bench/recover-host.ts";

await withStage({ hosts: 3, gpus: 0, options: { "*": { path: "train" } } }, async (stage) => {
  const [first, second, spare] = stage.lab.hosts;
  if (first === undefined || second === undefined || spare === undefined) throw new Error("three hosts");
  const entry = ({ address }: { readonly address: string }): string => `{host: ${address}, slots: 1}`;
  const restart = "restart: {on_host_loss: spare, backoff: 0s}";
  stage.write("cluster.yaml", `cluster: [${entry(first)}, ${entry(second)}]\nspares: [${entry(spare)}]\ndefaults: {gpus: 0}\n${restart}\n`);
  stage.write("coupled.py", COUPLED);
  const whole: number[] = [];
  const launched: number[] = [];
  for (let k = 0; k < ROUNDS; k++) {
    const word = `h${k}`;
    const run = await upDetached(stage, ["cluster.yaml", "--", "coupled.py", word]);
    await nthSteps([first, second], word, 1);
    await first.link("down");
    const [again] = await nthSteps([second], word, 2);
    const [onSpare] = await nthSteps([spare], word, 1);
    const events = stage.journal(run).map((line) => line.event);
    const lostAt = events.find((event) => event.type === "host-lost")?.at ?? Number.NaN;
    const launchedAt = events.findLast((event) => event.type === "host-launched")?.at ?? Number.NaN;
    whole.push((Math.max(again?.at ?? 0, onSpare?.at ?? 0) - lostAt) / 1000);
    launched.push((launchedAt - lostAt) / 1000);
    log(`lost to trained ${whole.at(-1)?.toFixed(2)} s, of it to torchrun started ${launched.at(-1)?.toFixed(2)} s`);
    await first.link("up");
    await stopRun(stage, run);
  }
  report({
    figure: "a host is lost, until all ranks take a step with a spare, beyond detection",
    goal: `<= ${GOAL_S} s`,
    measured: `${spread(whole)} s, of it ${spread(launched)} s until torchrun is started everywhere, ${ROUNDS} rounds`,
    isMet: median(whole) <= GOAL_S,
    command: COMMAND,
  });
});
process.exit(0);
