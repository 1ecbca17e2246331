/**
 * From a rank's write to the controller's disk over SSH, by both drivers: MB/s of a rank that pours (goal: at least 50), and the way of a
 * line at 1 MB/s (goal: p99 at most 150 ms). Run as root: node scripts/bench/log-path.ts [MB]
 */

import { closeSync, existsSync, openSync, readSync, statSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { log, median, quantile, report, spread } from "./support/figure.ts";
import { controllerPid, cpuMs, type Stage, withStage } from "./support/stage.ts";

const MB = Number(process.argv[2] ?? 400);
const ROUNDS = 3;
const SECONDS = 20;
const LINES_PER_MS = 10;
const COMMAND = "node scripts/bench/log-path.ts";

/** 100 byte lines, 10,000 a second, each with the time of its write. */
const WRITER = `import time, os
end = time.time() + ${SECONDS}
due = time.time()
while due < end:
    os.write(1, b"".join(b"%.6f %s\\n" % (time.time(), b"x" * 82) for _ in range(${LINES_PER_MS})))
    due += 0.001
    time.sleep(max(0, due - time.time()))
`;

/** Starts a run of one rank, detached; path of its output on the controller's disk, once it is there. */
async function start(stage: Stage, command: readonly string[]): Promise<string> {
  const { code, text } = await stage.run([stage.nexadist, "up", "-d", join(stage.dir, "cluster.yaml"), "--", ...command]);
  if (code !== 0) throw new Error(text);
  const path = join(stage.stateDir, "runs", stage.latest(), "logs/a1", stage.lab.hosts[0]?.address ?? "", "rank0.out");
  for (const deadline = Date.now() + 30_000; !existsSync(path); await delay(2)) if (Date.now() > deadline) throw new Error(`no ${path}\n${text}`);
  return path;
}

async function over(stage: Stage): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await delay(20)) {
    if (stage.journal(stage.latest()).some(({ event }) => event.type === "host-forgot")) return;
  }
  throw new Error("the run does not end");
}

/** MB/s from the first byte on the controller's disk to the last. */
async function pour(stage: Stage): Promise<number> {
  const bytes = MB * 1e6;
  const path = await start(stage, ["sh", "-c", `yes 'step 12345 loss 1.2345 lr 3e-4 tokens/s 123456' | head -c ${bytes}`]);
  const pid = controllerPid(stage) ?? 0;
  const begun = performance.now();
  const had = statSync(path).size;
  const cpu = cpuMs(pid);
  for (const deadline = Date.now() + 120_000; statSync(path).size < bytes; await delay(5)) if (Date.now() > deadline) throw new Error("bytes are missing");
  const seconds = (performance.now() - begun) / 1000;
  const rate = (bytes - had) / 1e6 / seconds;
  log(`${rate.toFixed(0)} MB/s; the controller used ${((cpuMs(pid) - cpu) / seconds / 10).toFixed(0)} % of a CPU`);
  await over(stage);
  return rate;
}

/** Milliseconds of each line's way; a line has arrived when another process can read it from the file. */
async function ways(stage: Stage): Promise<number[]> {
  const path = await start(stage, ["python3", "-I", "-S", "-c", WRITER]);
  const found: number[] = [];
  const fd = openSync(path, "r");
  const buffer = Buffer.alloc(1024 * 1024);
  let at = 0;
  let rest = "";
  const read = (): void => {
    const now = Date.now();
    for (let got = readSync(fd, buffer, 0, buffer.length, at); got > 0; got = readSync(fd, buffer, 0, buffer.length, at)) {
      at += got;
      const lines = (rest + buffer.toString("latin1", 0, got)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) found.push(now - Number(line.slice(0, 17)) * 1000);
    }
  };
  const watcher = watch(dirname(path), read);
  await over(stage);
  watcher.close();
  closeSync(fd);
  return found;
}

for (const driver of ["ssh2", "ssh"]) {
  process.env.NEXADIST_SSH = driver;
  await withStage({ hosts: 1 }, async (stage) => {
    stage.write("cluster.yaml", `cluster:\n  - host: ${stage.lab.hosts[0]?.address}\n    gpus: 0\n    slots: 1\nbackend: command\n`);
    await stage.run([stage.nexadist, "up", join(stage.dir, "cluster.yaml"), "--", "true"]);
    const used = stage.journal(stage.latest()).find(({ event }) => event.type === "host-connected")?.event.driver;
    if (used !== driver) throw new Error(`the driver is ${used}, not ${driver}`);
    const rates: number[] = [];
    for (let k = 0; k < ROUNDS; k++) rates.push(await pour(stage));
    report({
      figure: `log path over SSH, driver ${driver}, one rank that pours ${MB} MB`,
      goal: ">= 50 MB/s",
      measured: `${spread(rates, 0)} MB/s, ${ROUNDS} rounds`,
      isMet: median(rates) >= 50,
      command: COMMAND,
    });
    const found = await ways(stage);
    const at = (share: number): string => quantile(found, share).toFixed(0);
    report({
      figure: `a line's way to the controller's disk at 1 MB/s, driver ${driver}`,
      goal: "p99 <= 150 ms",
      measured: `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${Math.max(...found.slice(-1), quantile(found, 1)).toFixed(0)} ms of ${found.length} lines`,
      isMet: quantile(found, 0.99) <= 150,
      command: COMMAND,
    });
  });
}
process.exit(0);
