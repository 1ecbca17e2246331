/** What stacks.py sees of real processes: where they are, how they are; and that none of them notices. */

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { HostLook } from "../../cluster/hang/look.ts";
import { placeOf } from "../../cluster/hang/place.ts";
import { inState, stackRanks } from "../support/stack-ranks.ts";

const SLEEP = `import time
def load():
    print("up", flush=True)
    time.sleep(1000)
load()
`;
const LOCK = `import threading
def take():
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=helper, daemon=True).start()
    print("up", flush=True)
    lock.acquire()
def helper():
    threading.Event().wait()
take()
`;
const SPIN = `def spin():
    print("up", flush=True)
    while True: pass
spin()
`;
const FORKED = `import os, time
def work():
    time.sleep(1000)
def wait():
    print("up", flush=True)
    os.waitpid(pid, 0)
pid = os.fork()
if pid == 0: work()
wait()
`;

const rankOf = (look: HostLook, rank: number): HostLook["ranks"][number] => {
  const found = look.ranks.find((one) => one.rank === rank);
  assert.ok(found, `rank ${rank}`);
  return found;
};
const where = (look: HostLook, rank: number): string => placeOf(rankOf(look, rank)).text;

test("asleep, in a dead-lock, spinning, stopped, forked, gone: each rank is where it is, and lives on", async (t) => {
  const ranks = stackRanks(t);
  const sleeper = await ranks.start(SLEEP);
  await ranks.start(LOCK);
  const spinner = await ranks.start(SPIN);
  const stopped = await ranks.start(SLEEP);
  const forked = await ranks.start(FORKED);
  const gone = await ranks.start(SLEEP);
  stopped.kill("SIGSTOP");
  await inState(stopped.pid, "T");
  gone.kill("SIGKILL");
  await new Promise((resolve) => gone.once("exit", resolve));
  for (const pid of [sleeper.pid, forked.pid]) await inState(pid, "S");
  writeFileSync(join(ranks.dir, "rank0.out"), "step 1\n");

  const isIdle = (seen: HostLook): boolean => (rankOf(seen, 1).main?.threads.length ?? 0) > 1;
  let look = ranks.look();
  for (let k = 0; k < 20 && !isIdle(look); k += 1) look = ranks.look(); // on a busy machine it may not have come to rest yet
  assert.equal(look.problem, null);
  assert.equal(where(look, 0), "is in train0.py:4 (load)");
  assert.match(where(look, 1), /^is in train1\.py:7 \(take\)/);
  assert.match(where(look, 2), /^is in train2\.py:3 \(spin\)/);
  assert.ok((rankOf(look, 2).main?.cpus ?? 0) > 0);
  assert.match(where(look, 3), /^is stopped/);
  assert.equal(where(look, 5), "is not there any more");
  assert.ok((rankOf(look, 0).quietMs ?? -1) >= 0);
  assert.equal(rankOf(look, 1).quietMs, null);
  const helper = rankOf(look, 1).main?.threads.find(({ isMain }) => !isMain);
  assert.match(helper?.frames.map(({ fn }) => fn).join(" ") ?? "", /helper/, "all threads of one that is idle");
  const [worker] = rankOf(look, 4).others;
  assert.equal(rankOf(look, 4).main?.threads[0]?.frames[0]?.fn, "wait");
  assert.equal(worker?.threads[0]?.frames[0]?.fn, "work", "a forked process writes to the same file, and is told apart");

  for (const child of [sleeper, spinner, forked]) assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
  stopped.kill("SIGCONT");
  await inState(stopped.pid, "S");
  assert.equal(stopped.signalCode, null, "no signal was waiting for it");
  assert.equal(where(ranks.look(), 3), "is in train3.py:4 (load)");
});

test("what does not listen is not signalled: an isolated Python, another program in its place, a closed file", async (t) => {
  const ranks = stackRanks(t);
  const isolated = await ranks.start(SLEEP, { args: ["-I"] });
  const other = await ranks.start(`import os\nprint("up", flush=True)\nos.execvp("sleep", ["sleep", "1000"])\n`);
  const closed = await ranks.start(`import os, time\nos.closerange(3, 4096)\nprint("up", flush=True)\ntime.sleep(1000)\n`);
  const blocked = await ranks.start(`import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [51, 52])\nprint("up", flush=True)\ntime.sleep(1000)\n`);
  await inState(closed.pid, "S");
  for (let k = 0; k < 3; k += 1) {
    const look = ranks.look();
    for (const rank of [0, 1, 2, 3]) {
      assert.equal(rankOf(look, rank).main?.source, null);
      assert.match(where(look, rank), /^sleeps.*its stack cannot be read: it (?:is no Python|does not listen)/);
    }
  }
  for (const child of [isolated, other, closed, blocked]) assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
});

test("another process under an old number is never looked at", async (t) => {
  const ranks = stackRanks(t);
  const child = await ranks.start(SLEEP);
  writeFileSync(join(ranks.dir, "pids.jsonl"), `{"pid":${child.pid},"start":1,"role":"rank","rank":0}\n{"pid":${child.pid},"sta`);
  assert.deepEqual(rankOf(ranks.look(), 0).main, null);
  writeFileSync(join(ranks.dir, "pids.jsonl"), "no json\n");
  assert.match(ranks.look().problem ?? "", /JSONDecodeError/);
});

/** Stands in for torch: a byte in its pipe makes it write its last collectives. */
const RECORDER = `import os, pickle, select, sys
os.mkfifo(sys.argv[0].rpartition("/")[0] + "/fr_0.pipe")
where = sys.argv[0].rpartition("/")[0]
pipe = os.open(where + "/fr_0.pipe", os.O_RDWR)
print("up", flush=True)
def entry(group, number, op, state, **more):
    return {"process_group": (group, "default_pg"), "collective_seq_id": number, "profiling_name": f"nccl:{op}", "state": state, "is_p2p": False, **more}
while os.read(pipe, 64):
    entries = [entry("0", 7, "all_reduce", "completed"), entry("0", 8, "broadcast", "started"), entry("1", 3, "all_gather", "completed"), entry("1", 9, "send", "started", is_p2p=True)]
    with open(where + "/new", "wb") as f: pickle.dump({"version": "2.10", "entries": entries}, f)
    os.replace(where + "/new", where + "/fr_dump_0")
`;

test("torch's flight recorder is asked through its pipe; a dump that wants to run something does not", async (t) => {
  const ranks = stackRanks(t);
  await ranks.start(RECORDER);
  await ranks.start(SLEEP);
  const canary = join(ranks.dir, "canary");
  writeFileSync(join(ranks.dir, "fr_dump_1"), `cos\nsystem\n(S'touch ${canary}'\ntR.`);
  const look = ranks.look();
  assert.deepEqual(rankOf(look, 0).collectives, [
    { group: "0 default_pg", op: "broadcast", sequence: 8, state: "started" },
    { group: "1 default_pg", op: "all_gather", sequence: 3, state: "completed" },
  ]);
  assert.deepEqual(rankOf(look, 1).collectives, []);
  assert.equal(existsSync(canary), false);
});
