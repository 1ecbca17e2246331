/**
 * `nexadist diag`, quick, on many hosts: goal at most 20 s; beside the same looks at the same hosts run by one ssh after another, the links between the hosts
 * not counted there. Run as root: node scripts/bench/diag.ts [HOSTS] [ROUNDS]
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HOST_COMMAND, hostProgram, PROBE_PARTS } from "../../cluster/host-program.ts";
import { log, median, report, spread } from "./support/figure.ts";
import { REPO, type Stage, withStage } from "./support/stage.ts";

const HOSTS = Number(process.argv[2] ?? 16);
const ROUNDS = Number(process.argv[3] ?? 3);
const GOAL_MS = 20_000;

/** Time that the verdict itself tells is without the start of the program: this is with it. */
async function diagnose(stage: Stage): Promise<number> {
  const begun = performance.now();
  const { code, text } = await stage.run([stage.nexadist, "diag", "c.yaml", "--json"]);
  const took = performance.now() - begun;
  const at = text.indexOf("{");
  const found =
    at < 0
      ? null
      : (JSON.parse(text.slice(at, text.lastIndexOf("}") + 1)) as { results: { id: string; status: string }[]; matrix: { latencyMs: object | null }[] });
  const ways = found?.matrix.filter(({ latencyMs }) => latencyMs !== null).length ?? 0;
  if (found === null || ways !== HOSTS * (HOSTS - 1)) throw new Error(`diag: exit ${code}, ${ways} ways measured\n${text.slice(0, 2000)}`);
  log(`${found.results.length} results, ${ways} ways`);
  return took;
}

/** The same program with the same request, its answer thrown away: one session a host. */
async function oneByOne(stage: Stage, input: string): Promise<number> {
  const script = `a=$(date +%s%N); for host in "$@"; do ssh -o BatchMode=yes "$host" "$REMOTE" <${input} >/dev/null || exit 1; done; b=$(date +%s%N); echo "TOOK $((b - a))"`;
  const { code, text } = await stage.run(["env", `REMOTE=${HOST_COMMAND}`, "sh", "-c", script, "sh", ...stage.lab.hosts.map(({ address }) => address)]);
  const took = /TOOK (\d+)/.exec(text)?.[1];
  if (code !== 0 || took === undefined) throw new Error(`ssh: exit ${code}\n${text}`);
  return Number(took) / 1e6;
}

await withStage({ hosts: HOSTS }, async (stage) => {
  const entries = stage.lab.hosts.map(({ name, address }) => `  - {host: ${name}, address: ${address}}\n`).join("");
  stage.write("c.yaml", `cluster:\n${entries}defaults: {gpus: 0, slots: 1, python: /opt/train}\n`);
  const sources = Object.fromEntries(PROBE_PARTS.map((name) => [name, readFileSync(join(REPO, `python/${name}.py`), "utf8")]));
  const program = Buffer.from(hostProgram(sources, PROBE_PARTS)).toString("base64");
  const request = { nonce: "bench", op: "probe", tier: "quick", paths: {}, writes: [], python: "/opt/train" };
  const input = stage.write("probe.in", `${program}\n${JSON.stringify(request)}\n`);
  const rounds: { ours: number; ssh: number }[] = [];
  for (let k = 0; k < ROUNDS; k += 1) {
    const one = { ours: await diagnose(stage), ssh: await oneByOne(stage, input) };
    rounds.push(one);
    log(`diag ${(one.ours / 1000).toFixed(1)} s, one ssh after another ${(one.ssh / 1000).toFixed(1)} s`);
  }
  const ours = rounds.map((round) => round.ours / 1000);
  report({
    figure: `\`nexadist diag\`, quick, on ${HOSTS} hosts, all ways between them too`,
    goal: "<= 20 s",
    measured: `${spread(ours, 1)} s; looking at the hosts alone by one ssh after another: ${spread(
      rounds.map((round) => round.ssh / 1000),
      1,
    )} s, ${ROUNDS} rounds`,
    isMet: median(ours) * 1000 <= GOAL_MS,
    command: "node scripts/bench/diag.ts",
  });
});
process.exit(0);
