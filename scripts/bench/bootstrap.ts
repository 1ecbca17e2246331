/**
 * Bootstrap of a bare host, to the open link to its agent, against scp of the same bytes (compressed Node and bundle), alternating: goal a
 * ratio of at most 1.5. Then hosts at once against one: goal at most 2. Both without a limit on the lab's links and at 100 Mbit/s a host.
 * Run as root: node scripts/bench/bootstrap.ts [PAIRS] [HOSTS]
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { judgeRatio, log, median, report, spread } from "./support/figure.ts";
import { REPO, type Stage, withStage } from "./support/stage.ts";

const PAIRS = Number(process.argv[2] ?? 7);
const HOSTS = Number(process.argv[3] ?? 10);
const ROUNDS = 3;
const COMMAND = "node scripts/bench/bootstrap.ts";

async function bringUp(stage: Stage, hosts: readonly string[]): Promise<number> {
  const { code, text } = await stage.run([process.execPath, join(REPO, "scripts/bench/support/bring-up.ts"), ...hosts]);
  const found = /\{"ms":([\d.]+)\}/.exec(text)?.[1];
  if (code !== 0 || found === undefined) throw new Error(`bring-up: exit ${code}\n${text}`);
  if (hosts.length === 1) log(text.trim().split("\n")[0] ?? "");
  return Number(found);
}

/** The same bytes by the system's own tool: time of the command itself, taken in the lab. */
async function copy(stage: Stage, host: string, files: readonly string[]): Promise<number> {
  const script = 'a=$(date +%s%N); scp -q "$@" || exit 1; b=$(date +%s%N); echo "TOOK $((b - a))"';
  const { code, text } = await stage.run(["sh", "-c", script, "sh", ...files, `${host}:`]);
  const took = /TOOK (\d+)/.exec(text)?.[1];
  if (code !== 0 || took === undefined) throw new Error(`scp: exit ${code}\n${text}`);
  return Number(took) / 1e6;
}

async function measure(stage: Stage, hosts: readonly string[], files: readonly string[], link: string): Promise<void> {
  const first = hosts.slice(0, 1);
  const pairs: { ours: number; scp: number }[] = [];
  for (let k = 0; k < PAIRS; k++) {
    const ours = () => bringUp(stage, first);
    const scp = () => copy(stage, hosts[0] ?? "", files);
    const pair = k % 2 === 0 ? { ours: await ours(), scp: await scp() } : { scp: await scp(), ours: await ours() };
    pairs.push(pair);
    log(`${link}: ours ${pair.ours.toFixed(0)} ms, scp ${pair.scp.toFixed(0)} ms`);
  }
  const ratios = pairs.map((pair) => pair.ours / pair.scp);
  report({
    figure: `bootstrap of a bare host, against scp of the same bytes, ${link}`,
    goal: "<= 1.5",
    measured: `${spread(ratios)}; ${median(pairs.map((p) => p.ours)).toFixed(0)} ms against ${median(pairs.map((p) => p.scp)).toFixed(0)} ms, ${PAIRS} pairs`,
    isMet: judgeRatio(
      ratios,
      pairs.map((pair) => pair.scp),
      1.5,
    ),
    command: COMMAND,
  });
  const many: { all: number; one: number; scpAll: number; scp: number }[] = [];
  for (let k = 0; k < ROUNDS; k++) {
    const [one, all] = [await bringUp(stage, first), await bringUp(stage, hosts)];
    const scp = await copy(stage, hosts[0] ?? "", files);
    const begun = performance.now();
    await Promise.all(hosts.map((host) => copy(stage, host, files)));
    many.push({ one, all, scp, scpAll: performance.now() - begun });
  }
  const growth = many.map((pair) => pair.all / pair.one);
  report({
    figure: `bootstrap of ${HOSTS} bare hosts at once, against one, ${link}`,
    goal: "<= 2",
    // What ten receivers on one machine's CPUs cost at the least.
    measured: `${spread(growth)}; ${median(many.map((p) => p.all)).toFixed(0)} ms against ${median(many.map((p) => p.one)).toFixed(0)} ms; scp to all at once against one: ${spread(many.map((p) => p.scpAll / p.scp))}`,
    isMet: judgeRatio(
      growth,
      many.map((pair) => pair.one),
      2,
    ),
    command: COMMAND,
  });
}

await withStage({ hosts: HOSTS }, async (stage) => {
  const hosts = stage.lab.hosts.map((host) => host.address);
  await bringUp(stage, hosts.slice(0, 1)); // makes the compressed Node in the cache
  const cache = join(stage.lab.home, ".cache/nexadist");
  const node = readdirSync(cache)
    .filter((name) => name.endsWith(".blocks"))
    .map((name) => join(cache, name));
  const dist = join(stage.dir, "../program/dist");
  const files = [...node, join(dist, "agent.mjs"), ...readdirSync(join(dist, "python")).map((name) => join(dist, "python", name))];
  await measure(stage, hosts, files, "no limit on the link");
  for (const k of hosts.keys()) {
    const limit = `tc qdisc add dev cable${k} root tbf rate 100mbit burst 256kb latency 100ms`;
    const { exitCode, stderr } = await stage.lab.exec(limit.split(" "));
    if (exitCode !== 0) throw new Error(stderr);
  }
  await measure(stage, hosts, files, "links of 100 Mbit/s");
});
process.exit(0);
