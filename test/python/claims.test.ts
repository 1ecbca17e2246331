/** Claims on GPUs: of all who race for one exactly one has it, for as long as it lives, whatever strangers put in the way. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ClaimsPlace, claimsPlace, type Holder, UUIDS } from "../support/claims.ts";
import { needsRoot } from "../support/lab.ts";
import { launch, makeLab, type Of, PYTHON, PYTHON_DIR, pythonRank, runLackingShim } from "../support/shims.ts";

const isContained = statSync("/proc/self/ns/pid").ino !== 0xeffffffc;
const me = userInfo().username;
const all = { kind: "count", count: 4 };

async function race(at: ClaimsPlace, holders: readonly Holder[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all(holders.map((holder, k) => holder.claim({ run: `r${k}`, want: all })));
    const winners = holders.filter((_, k) => answers[k]?.ok === true);
    assert.equal(winners.length, 1, JSON.stringify(answers));
    const winner = answers.findIndex(({ ok }) => ok);
    for (const { busy } of answers.filter(({ ok }) => !ok)) assert.deepEqual([...new Set(busy?.map((one) => one.run))], [`r${winner}`]);
    for (const holder of holders) await holder.ask({ do: "unclaim" });
  }
  for (const holder of holders) {
    const ended = once(holder.child, "exit");
    await holder.ask({ do: "end" });
    await ended;
  }
  assert.ok(!existsSync(at.directory), `left: ${existsSync(at.directory) && readdirSync(at.directory).join()}`);
}

test("of three that race for all GPUs exactly one gets them, fifty times, and nothing is left", async (t) => {
  const at = claimsPlace(t);
  await race(at, [await at.hold(), await at.hold(), await at.hold()], 50);
});

test("a look names who has GPUs and who waits, and keeps nobody from any", async (t) => {
  const at = claimsPlace(t);
  const look = (): {
    readonly cards: readonly { readonly run: string; readonly gpus: readonly string[]; readonly isWaiting: boolean }[];
    readonly locked: object;
  } =>
    JSON.parse(
      execFileSync(PYTHON, ["-c", `import claims, probe_claims; claims.DIRECTORY = ${JSON.stringify(at.directory)}; print(probe_claims.gpu_claims({}))`], {
        cwd: PYTHON_DIR,
        encoding: "utf8",
      }),
    );
  assert.deepEqual(look(), { cards: [], locked: {} });
  assert.ok(!existsSync(at.directory), "nothing is made by looking");
  const [one, other] = [await at.hold(), await at.hold()];
  assert.equal((await one.claim({ run: "first", want: { kind: "list", ids: UUIDS.slice(0, 1) } })).ok, true);
  await other.claim({ run: "second", want: all, mayQueue: true });
  assert.deepEqual(
    look()
      .cards.map(({ run, gpus, isWaiting }) => ({ run, gpus, isWaiting }))
      .toSorted((a, b) => a.run.localeCompare(b.run)),
    [
      { run: "first", gpus: UUIDS.slice(0, 1), isWaiting: false },
      { run: "second", gpus: [], isWaiting: true },
    ],
  );
  for (const holder of [one, other]) {
    const ended = once(holder.child, "exit");
    await holder.ask({ do: "end" });
    await ended;
  }
});

test("across users too", { skip: needsRoot }, async (t) => {
  const at = claimsPlace(t);
  const [a, b] = [await at.hold({ uid: 65534 }), await at.hold()];
  assert.equal((await a.claim({ run: "theirs", want: { kind: "list", ids: UUIDS.slice(0, 2) } })).ok, true);
  const refused = await b.claim({ run: "mine", want: all });
  assert.deepEqual(
    refused.busy?.map(({ gpu, kind, run, user }) => [gpu, kind, run, user]),
    [
      [0, "run", "theirs", "nobody"],
      [1, "run", "theirs", "nobody"],
    ],
  );
  assert.deepEqual((await b.claim({ run: "mine" })).gpus, UUIDS.slice(2), "auto takes the free ones");
  await a.kill();
  assert.deepEqual((await (await at.hold()).claim({ run: "third" })).gpus, UUIDS.slice(0, 2), "what a killed holder of another user had is free");
});

test("count takes free ones in the order of their index, a list exactly these, and asking again changes nothing", async (t) => {
  const at = claimsPlace(t);
  const [a, b, c] = [await at.hold(), await at.hold(), await at.hold()];
  assert.deepEqual((await a.claim({ run: "a", want: { kind: "list", ids: [UUIDS[1]] } })).gpus, [UUIDS[1]]);
  assert.deepEqual((await b.claim({ run: "b", want: { kind: "count", count: 2 } })).gpus, [UUIDS[0], UUIDS[2]]);
  assert.deepEqual((await b.claim({ run: "b", want: { kind: "count", count: 2 } })).gpus, [UUIDS[0], UUIDS[2]]);
  const refused = await c.claim({ run: "c", want: { kind: "count", count: 2 } });
  assert.deepEqual(
    refused.busy?.map(({ gpu, run, user }) => [gpu, run, user]),
    [
      [0, "b", me],
      [1, "a", me],
      [2, "b", me],
    ],
  );
  assert.deepEqual((await c.claim({ run: "c" })).gpus, [UUIDS[3]], "nothing of what was refused is kept");
});

test("first come, first served: by when the run was asked for, and who is gone waits no more", async (t) => {
  const at = claimsPlace(t);
  const [holds, second, third] = [await at.hold(), await at.hold(), await at.hold()];
  await holds.claim({ run: "holds", want: all });
  assert.equal((await third.claim({ run: "third", want: all, mayQueue: true, requestedAt: 30 })).ok, false);
  assert.equal((await second.claim({ run: "second", want: all, mayQueue: true, requestedAt: 20 })).ok, false);
  await holds.kill();
  const early = await third.claim({ run: "third", want: all, mayQueue: true, requestedAt: 30 });
  assert.deepEqual(
    early.busy?.map(({ kind, run }) => [kind, run]),
    [["queue", "second"]],
  );
  await second.kill();
  assert.equal((await third.claim({ run: "third", want: all, mayQueue: true, requestedAt: 30 })).ok, true);
});

test("what compute-apps shows is foreign, named with user and pid; a driver that says nothing is unknown, not nobody; force says so and goes on", async (t) => {
  const at = claimsPlace(t);
  const bin = join(at.root, "bin");
  mkdirSync(bin);
  const smi = (text: string): void => {
    writeFileSync(join(bin, "nvidia-smi"), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, "nvidia-smi"), 0o755);
  };
  const holder = await at.hold({ env: { PATH: `${bin}:/usr/bin:/bin` } });
  smi(`echo "${UUIDS[1]}, ${process.pid}, /usr/bin/python3, 14000"; echo "${UUIDS[2]}, 1, nvidia-cuda-mps-server, 30"`);
  const refused = await holder.claim({ run: "a", want: all });
  assert.deepEqual(refused.busy, [{ gpu: 1, kind: "process", uuid: UUIDS[1], pid: process.pid, process: "python3", user: me, memoryMiB: 14000 }]);
  assert.deepEqual((await holder.claim({ run: "a" })).gpus, [UUIDS[0], UUIDS[2], UUIDS[3]]);
  await holder.ask({ do: "unclaim" });
  const forced = await holder.claim({ run: "a", want: all, force: true });
  assert.deepEqual([forced.gpus, forced.notes], [UUIDS, [`GPU 1 is also used by python3 (pid ${process.pid}, user ${me})`]]);
  await holder.ask({ do: "unclaim" });
  smi(
    `case "$1" in *memory.used) echo "${UUIDS[0]}, 40000"; echo "${UUIDS[1]}, 700";; *) echo "${UUIDS[3]}, 99999999, [Insufficient Permissions], [N/A]";; esac`,
  );
  const inside = await holder.claim({ run: "a", want: all });
  const unseen = inside.busy?.map(({ gpu, pid, user, memoryMiB }) => [gpu, pid, user, memoryMiB]);
  // Where all PIDs are to be seen, one that is not there has ended, and memory without a process is the driver's.
  if (isContained)
    assert.deepEqual(unseen, [
      [0, null, null, 40000],
      [3, 99999999, null, null],
    ]);
  else assert.equal(inside.ok, true);
  await holder.ask({ do: "unclaim" });
  smi("exit 9");
  const blind = await holder.claim({ run: "a", want: all });
  assert.deepEqual([blind.ok, blind.notes], [true, ["whether other processes use its GPUs is not known: nvidia-smi failed"]]);
});

test("without a word of the agent a claim ends by itself, unless a shim was given it", async (t) => {
  const at = claimsPlace(t);
  const left = await at.hold({ lease: "claim_holder._HOLD_S = 0.3" });
  const ended = once(left.child, "exit");
  assert.equal((await left.claim({ run: "left", want: all })).ok, true);
  await ended;
  assert.equal((await (await at.hold()).claim({ run: "next", want: all })).ok, true);
});

test("an uninstall ends holders, and their claims with them", async (t) => {
  const at = claimsPlace(t);
  const holder = await at.hold();
  await holder.claim({ run: "a", want: all });
  const ended = once(holder.child, "exit");
  const program = `import sys; sys.path.insert(0, ${JSON.stringify(PYTHON_DIR)}); sys.dont_write_bytecode = True
import host_clean; host_clean.end_holders(${JSON.stringify(at.root)})`;
  execFileSync(PYTHON, ["-I", "-S", "-c", program]);
  await ended;
  assert.ok(!existsSync(at.directory) && !existsSync(holder.socket));
});

test("a lock that no card explains is named by the kernel's word", async (t) => {
  const at = claimsPlace(t);
  const [a, b] = [await at.hold(), await at.hold()];
  await a.claim({ run: "a", want: { kind: "list", ids: [UUIDS[0]] } });
  for (const name of readdirSync(at.directory)) if (name.startsWith("card.")) writeFileSync(join(at.directory, name), "{".repeat(5000));
  const { busy } = await b.claim({ run: "b", want: all });
  assert.deepEqual(busy, [{ gpu: 0, kind: "lock", pid: a.child.pid, user: me }]);
});

test("links, pipes and directories in the way are refused with their owner, never followed and never waited for", async (t) => {
  const at = claimsPlace(t);
  const holder = await at.hold();
  const path = join(at.directory, `gpu.${UUIDS[0]}`);
  symlinkSync("/etc/passwd", path);
  const { unusable } = await holder.claim({ run: "a", want: all });
  assert.match(unusable ?? "", new RegExp(`${path}, of user ${me}, cannot be locked`));
  mkdirSync(join(at.directory, `gpu.${UUIDS[1]}`));
  assert.match((await holder.claim({ run: "a", want: { kind: "list", ids: [UUIDS[1]] } })).unusable ?? "", /is no plain file/);
  assert.equal((await holder.claim({ run: "a", want: { kind: "list", ids: UUIDS.slice(2) } })).ok, true, "others go on");
});

const shimLab = (t: TestContext, at: ClaimsPlace, socket: string, gpus: readonly string[]) => {
  const lab = makeLab(t, { claim: { socket, gpus } });
  return { lab, there: `import claims; claims.DIRECTORY = ${JSON.stringify(at.directory)}` };
};

test("a shim has the locks too: they are the run's also when their holder is killed, until the last word of the attempt", async (t) => {
  const at = claimsPlace(t);
  const [holder, other] = [await at.hold(), await at.hold()];
  await holder.claim({ run: "a", want: all });
  const { lab, there } = shimLab(t, at, holder.socket, UUIDS);
  await lab.startShim(there);
  await holder.kill();
  assert.equal((await other.claim({ run: "b", want: all })).busy?.length, 4, "nobody else gets them");
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, "pass")], 1000));
  await agent.event("ended");
  assert.equal((await other.claim({ run: "b", want: all })).ok, true, "free with the word that it is over, while the shim still lingers");
});

test("where the holder is gone the shim takes the locks itself, and is not armed when another has them", async (t) => {
  const at = claimsPlace(t);
  const other = await at.hold();
  const free = shimLab(t, at, join(at.root, "gone"), UUIDS);
  await free.lab.startShim(free.there);
  assert.equal((await other.claim({ run: "b", want: all })).ok, false);
  const agent = await free.lab.connect();
  agent.send({ do: "disarm" });
  await agent.event("ended");
  assert.equal((await other.claim({ run: "b", want: all })).ok, true);
  const late = shimLab(t, at, join(at.root, "gone"), UUIDS.slice(0, 1));
  const { code, stdout } = await runLackingShim(late.there, late.lab.armPath);
  const failed = JSON.parse(stdout) as Of<"arm-failed">;
  assert.deepEqual([code, failed.code, failed.text], [1, "GPU_BUSY", `GPU ${UUIDS[0]} was taken by run b of ${me} meanwhile`]);
});

test("between two attempts they stay with the holder: who waits does not slip in", async (t) => {
  const at = claimsPlace(t);
  const [holder, other] = [await at.hold(), await at.hold()];
  await holder.claim({ run: "a", want: all });
  const { lab, there } = shimLab(t, at, holder.socket, UUIDS);
  await lab.startShim(there);
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, "pass")], 1000));
  await agent.event("ended");
  assert.equal((await other.claim({ run: "b", want: all, mayQueue: true })).busy?.length, 4);
  assert.deepEqual((await holder.claim({ run: "a", want: all })).gpus, UUIDS);
});
