/**
 * A controller is killed and started again over a run on 16 hosts: until it hears all of them, goal at most 2 s. Its state is gone, and another takes the
 * run over from the agents' records at once (--force; without it, a controller that was heard is waited for until it was quiet for 30 s): goal at most 5 s. Run as root: node scripts/bench/controller-back.ts [ROUNDS]
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { log, median, report, spread } from "./support/figure.ts";
import { stopRun, upDetached } from "./support/first-steps.ts";
import { controllerPid, type Stage, withStage } from "./support/stage.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
const HOSTS = 16;
const COMMAND = "node scripts/bench/controller-back.ts";
const WAIT_MS = 120_000;

async function killController(stage: Stage): Promise<void> {
  const pid = controllerPid(stage);
  if (pid === null) throw new Error("no controller runs");
  process.kill(pid, "SIGKILL");
  while (controllerPid(stage) !== null) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** When the last host was heard after the event of that type; the journal is looked at until then. */
async function allSeenAt(stage: Stage, run: string, since: string, from: number): Promise<number> {
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const events = stage.journal(run).map((line) => line.event);
    const begun = events.findLastIndex((event) => event.type === since && event.at >= from);
    if (begun < 0) continue;
    const seen = new Map<unknown, number>();
    for (const event of events.slice(begun)) if (["host-seen", "host-connected"].includes(event.type)) seen.set(event.host, event.at);
    if (seen.size === HOSTS) return Math.max(...seen.values());
  }
  throw new Error("not all hosts were heard");
}

await withStage({ hosts: HOSTS, gpus: 0 }, async (stage) => {
  const entries = stage.lab.hosts.map(({ address }) => `{host: ${address}, slots: 1}`).join(", ");
  const file = stage.write(
    "cluster.yaml",
    `cluster: [${entries}]\ndefaults: {gpus: 0}\nbackend: command\njob: {command: [sleep, "3600"]}\ntimeouts: {connect: 3m}\n`,
  );
  const run = await upDetached(stage, [file]);
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 100)))
    if (stage.journal(run).filter((line) => line.event.type === "rank-started").length === HOSTS) break;
  const back: number[] = [];
  for (let k = 0; k < ROUNDS; k++) {
    await killController(stage);
    const at = Date.now();
    await stage.run([stage.nexadist, "ps"]);
    back.push(((await allSeenAt(stage, run, "controller-started", at)) - at) / 1000);
    log(`started again, all heard after ${back.at(-1)?.toFixed(2)} s`);
  }
  report({
    figure: `a killed controller is started again, until it hears all of ${HOSTS} hosts`,
    goal: "<= 2 s",
    measured: `${spread(back)} s, ${ROUNDS} rounds`,
    isMet: median(back) <= 2,
    command: COMMAND,
  });
  const taken: number[] = [];
  for (let k = 0; k < Math.min(3, ROUNDS); k++) {
    await killController(stage);
    rmSync(join(stage.stateDir), { recursive: true });
    const at = Date.now();
    const { code, text } = await stage.run([stage.nexadist, "takeover", "-d", "--force", "-c", file]);
    if (code !== 0) throw new Error(text);
    taken.push(((await allSeenAt(stage, run, "taken-over", at)) - at) / 1000);
    log(`taken over, all heard after ${taken.at(-1)?.toFixed(2)} s`);
  }
  report({
    figure: `the controller's machine is gone: another takes the run over (--force: at once), until it hears all of ${HOSTS} hosts`,
    goal: "<= 5 s",
    measured: `${spread(taken)} s, ${taken.length} rounds`,
    isMet: median(taken) <= 5,
    command: COMMAND,
  });
  await stopRun(stage, run);
});
process.exit(0);
