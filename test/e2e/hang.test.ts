/** Ranks that stand still for real, on two hosts: the one that does is named with its place, the others wait for it; and looking at a run changes nothing in it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HangVerdict } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { openSeat, readJournal, type Seat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const file = (onHang: string): string => `cluster: [{host: ${A}}, {host: ${B}}]
defaults: {gpus: 0, slots: 2}
launcher: torchrun
restart: {backoff: 1s, on_hang: ${onHang}}
timeouts: {hang: 2s, stop_grace: 2s}
`;

/** All meet in each step, and each loads with a worker of its own. What a rank does next is written into a file on its host. */
const TRAIN = `import os, threading, time
import torch, torch.distributed as dist

def wish():
    path = f"/tmp/wish-{os.environ['RANK']}"
    return open(path).read() if os.path.exists(path) else ""

class Data(torch.utils.data.Dataset):
    def __len__(self): return 100000
    def __getitem__(self, n):
        read()
        return torch.tensor([float(n % 97), 0.0])

def read():
    while wish() == "read": time.sleep(0.5)

def rest():
    while wish() == "rest": time.sleep(0.5)

def lock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

dist.init_process_group("gloo")
for n, x in enumerate(torch.utils.data.DataLoader(Data(), batch_size=1, num_workers=1, prefetch_factor=2)):
    if wish() == "rest": rest()
    if wish() == "lock" and os.environ["NEXADIST_ATTEMPT"] == "1": lock()
    if wish() == "end": x[0][1] = 1.0
    dist.all_reduce(x)
    print(f"step {n} loss {x[0][0].item():.0f}", flush=True)
    if x[0][1] > 0: break
    time.sleep(0.05)
dist.destroy_process_group()
`;

const lineOf = (text: string): number => TRAIN.split("\n").findIndex((line) => line.includes(text)) + 1;
const MEETS = `the other 3 wait for (?:it|them) in all_reduce \\(train\\.py:${lineOf("all_reduce(x)")}\\)`;

async function trains(seat: Seat, run: string, attempt: number): Promise<RunState> {
  const state = await seat.wait(run, `attempt ${attempt} runs`, (_, now) => (now.attempt === attempt && now.phase === "running" ? now : null));
  await until("steps", () => seat.log(run, A, "rank0.out", attempt).includes("step 5 "));
  return state;
}

test("a run that stands still", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("train.py", TRAIN);
  const tell = async (rank: number, wish: string): Promise<void> => {
    const path = `/tmp/wish-${rank}`;
    await lab.host(rank < 2 ? "gpu-a" : "gpu-b").run(["sh", "-c", wish === "" ? `rm -f ${path}` : `printf ${wish} > ${path}.new && mv ${path}.new ${path}`]);
  };
  const hangs = (run: string): HangVerdict[] => readJournal(seat.stateDir, run).flatMap(({ event }) => (event.type === "hang-found" ? [event.verdict] : []));
  const nextHang = (run: string, past: number): Promise<HangVerdict> => seat.wait(run, "a hang", () => hangs(run)[past]);
  const isOver = (run: string): Promise<true> => seat.wait(run, "it moves again", (_, now) => now.hang === null);
  const kill = async (signal: string, pid: number | undefined): Promise<void> => {
    assert.equal((await lab.host("gpu-b").run(["kill", `-${signal}`, `${pid}`])).exitCode, 0);
  };

  await t.test("reported: who, where, and that it moves again; looking harms nothing: every loss and every end are as they would have been", async () => {
    seat.write("c.yaml", file("report"));
    const run = await seat.up(["c.yaml", "--", "train.py"]);
    const { ranks } = await trains(seat, run, 1);
    const said = await Promise.all([seat.cli(["hang", run]), seat.cli(["--json", "hang", run])]);
    for (const one of said) assert.equal(one.code, 0, one.err);
    assert.match(said[0]?.out ?? "", /something moved between two looks/);
    const { look } = JSON.parse(said[1]?.out ?? "") as { look: { ranks: { rank: number; main: { source: string }; others: { source: string }[] }[] } };
    assert.deepEqual(
      look.ranks.map(({ rank, main, others }) => [rank, main.source, others[0]?.source]),
      [0, 1, 2, 3].map((rank) => [rank, "faulthandler", "faulthandler"]),
    );
    assert.deepEqual(hangs(run), []);

    await tell(3, "rest");
    const resting = await nextHang(run, 0);
    assert.match(resting.text, new RegExp(`^rank 3 on ${B} is in train\\.py:${lineOf("def rest") + 1} \\(rest\\); ${MEETS}$`));
    assert.deepEqual([resting.rank, resting.host], [3, B]);
    assert.match(resting.evidence[0] ?? "", /^no progress for .* in training \(limit 2\.0 s, as the file says\)$/);
    const asked = await seat.cli(["hang", run]);
    assert.match(asked.out, /^rank 3 on .*\nnothing moved between two looks\n/);
    assert.match((await seat.cli(["status", run])).out, /^hang: rank 3 on /m);
    await tell(3, "");
    await isOver(run);

    await tell(2, "read");
    assert.match(
      (await nextHang(run, 1)).text,
      new RegExp(
        `^rank 2 on ${B} waits for its data loader in train\\.py:\\d+, whose worker \\d+ is in train\\.py:${lineOf("def read") + 1} \\(read\\); ${MEETS}$`,
      ),
    );
    await tell(2, "");
    await isOver(run);

    await kill("STOP", ranks[2]?.pid);
    assert.match((await nextHang(run, 2)).text, new RegExp(`^rank 2 on ${B} is stopped \\(SIGSTOP; kill -CONT lets it go on\\); ${MEETS}$`));
    await kill("CONT", ranks[2]?.pid);
    await isOver(run);

    await lab.block("gpu-a", "gpu-b");
    const cut = await nextHang(run, 3);
    assert.match(cut.text, new RegExp(`^${A} and ${B} cannot reach each other; .*all_reduce \\(train\\.py:${lineOf("all_reduce(x)")}\\)`));
    assert.deepEqual([cut.rank, cut.host], [null, null], "no rank is blamed for it");
    await lab.unblock("gpu-a", "gpu-b");
    await isOver(run);

    await tell(0, "end");
    const state = await seat.ended(run);
    assert.deepEqual([state.phase, state.attempt], ["succeeded", 1]);
    for (const [rank, host] of [A, A, B, B].entries()) {
      const steps = seat.log(run, host, `rank${rank}.out`).trimEnd().split("\n");
      assert.deepEqual(
        steps,
        steps.map((_, n) => `step ${n} loss ${(n % 97) * 4}`),
        `rank ${rank}`,
      );
    }
    await tell(0, "");
  });

  await t.test("restarted, when the file says so: a dead-lock ends its attempt, and the next one trains", async () => {
    seat.write("c.yaml", file("restart"));
    const run = await seat.up(["c.yaml", "--", "train.py"]);
    await trains(seat, run, 1);
    await tell(1, "lock");
    const state = await trains(seat, run, 2);
    assert.match(state.past[0]?.cause.text ?? "", new RegExp(`rank 1 on ${A} is in train\\.py:${lineOf("def lock") + 3} \\(lock\\); ${MEETS}`));
    assert.equal(state.past[0]?.cause.kind, "hang");
    assert.equal((await seat.cli(["stop", "--now", run])).code, 0);
  });
});
