/** What a person does to a live run, for real: another attempt from the checkpoint, a spare, a host left out, NCCL's level; once, whatever happens to the controller. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Act } from "../../cluster/run/act.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { ActDone } from "../../cluster/viewer.ts";
import { openClient } from "../../controller/cli/client.ts";
import { controllerPid, openSeat, readJournal, type Seat, until } from "../support/controller.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";
import { SHARDED } from "../support/resumers.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const C = "100.66.164.20";
const NAMES: Readonly<Record<string, string>> = { [A]: "gpu-a", [B]: "gpu-b", [C]: "gpu-c" };

/** No failure may have another attempt: what a person asks for is none. */
const FILE = `cluster: [{host: ${A}, slots: 1}, {host: ${B}, slots: 1}]
spares: [{host: ${C}, slots: 1}]
defaults: {gpus: 0}
launcher: torchrun
restart: {max: 0}
paths: {checkpoints: ckpt}
timeouts: {stop_grace: 2s}
`;

const TRAINER = SHARDED.replace("rank, path, step =", "print(f\"NCCL_DEBUG is {os.environ.get('NCCL_DEBUG')}\", flush=True)\nrank, path, step =");
const PATIENCE_MS = 180_000;

const begun = (seat: Seat, run: string): RunEvent[] =>
  readJournal(seat.stateDir, run)
    .map(({ event }) => event)
    .filter((event) => event.type === "attempt-begun");

/** All its ranks are beyond their first checkpoint. */
async function trains(seat: Seat, run: string, attempt: number): Promise<RunState> {
  const state = await seat.wait(run, `attempt ${attempt} runs`, (_, now) => (now.attempt === attempt && now.phase === "running" ? now : null));
  const ranks = Object.values(state.ranks);
  await until("all ranks save", () => ranks.every(({ rank, host }) => /^saved/m.test(seat.log(run, host, `rank${rank}.out`, attempt))), PATIENCE_MS);
  return state;
}

async function act(seat: Seat, run: string, what: Act): Promise<ActDone> {
  const client = await openClient(join(seat.stateDir, "controller.sock"));
  try {
    return (await client.ask({ ask: "act", run, act: what, by: "somebody" })) as ActDone;
  } finally {
    client.close();
  }
}

/** Processes of an attempt on a host. */
async function alive(lab: Lab, host: string, run: string, attempt: number): Promise<string[]> {
  const find = `grep -l '/${run}/${attempt}/' /proc/[0-9]*/environ 2>/dev/null; true`;
  return (await lab.host(NAMES[host] ?? "").run(["sh", "-c", find])).stdout.split("\n").filter((line) => line !== "");
}

const firstWords = (seat: Seat, run: string, host: string, rank: number, attempt: number): string[] =>
  seat.log(run, host, `rank${rank}.out`, attempt).split("\n").slice(0, 2);

test("a person acts on a live run", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 3, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("sharded.py", TRAINER);
  seat.write("c.yaml", FILE);
  const run = await seat.up(["c.yaml", "--", "sharded.py"]);
  const pids = (state: RunState): number[] => Object.values(state.ranks).map(({ pid }) => pid);
  let last = await trains(seat, run, 1);

  const goesOn = async (attempt: number, members: readonly string[]): Promise<void> => {
    const before = last;
    last = await trains(seat, run, attempt);
    assert.deepEqual([last.members, last.world], [members, members.length]);
    assert.deepEqual(
      pids(last).filter((pid) => pids(before).includes(pid)),
      [],
      "on new processes",
    );
    assert.ok((last.checkpoint?.step ?? 0) > (before.checkpoint?.step ?? 0), "from a newer checkpoint");
    assert.deepEqual([last.spent, begun(seat, run).length], [0, attempt], "no budget, and no attempt that nobody asked for");
    for (const host of [A, B, C]) assert.deepEqual(await alive(lab, host, run, attempt - 1), [], `of attempt ${attempt - 1} on ${host}`);
  };

  await t.test("restart: from the last complete checkpoint, and asked for twice it is done once", async () => {
    const said = await seat.cli(["restart", run]);
    assert.equal(said.code, 0, said.out + said.err);
    assert.match(said.err, /attempt 1 was ended: \S+ \(pid \d+\) asked for another attempt/);
    assert.match(said.out, /is running \(attempt 2\)/);
    await assert.rejects(act(seat, run, { do: "restart", attempt: 1 }), /not the present one, that is attempt 2/);
    await goesOn(2, [A, B]);
    assert.deepEqual(firstWords(seat, run, A, 0, 2), ["NCCL_DEBUG is None", `begins at step=${last.checkpoint?.step}`]);
  });

  await t.test("NCCL's level comes with the next attempt, which a spare takes part in", async () => {
    assert.equal((await act(seat, run, { do: "nccl-debug", level: "WARN" })).isNew, true);
    assert.equal((await act(seat, run, { do: "nccl-debug", level: "WARN" })).isNew, false);
    assert.match((await act(seat, run, { do: "take-spare", host: B })).text, new RegExp(`with ${C} in place of ${B}`));
    await goesOn(3, [A, C]);
    for (const [host, rank] of [
      [A, 0],
      [C, 1],
    ] as const)
      assert.equal(firstWords(seat, run, host, rank, 3)[0], "NCCL_DEBUG is WARN", host);
  });

  await t.test("a controller that is killed on the way does it, once", async () => {
    await act(seat, run, { do: "exclude", host: C });
    await seat.wait(run, "it is on disk", (events) => events.some((event) => event.type === "acted" && event.act.do === "exclude"));
    process.kill((await controllerPid(seat.stateDir)) ?? assert.fail("no controller"), "SIGKILL");
    const status = await seat.cli(["status", run]);
    assert.equal(status.code, 0, status.err);
    await goesOn(4, [A]);
    await assert.rejects(act(seat, run, { do: "exclude", host: A }), /no spare is ready/);
  });

  await t.test("stop wins, and nothing is left", async () => {
    await act(seat, run, { do: "restart" });
    const said = await seat.cli(["stop", run]);
    assert.equal(said.code, 0, said.out + said.err);
    const types = readJournal(seat.stateDir, run).map(({ event }) => event.type);
    assert.ok(!types.slice(types.indexOf("stop-requested")).includes("attempt-begun"));
    for (const host of [A, B, C]) for (const attempt of begun(seat, run).keys()) assert.deepEqual(await alive(lab, host, run, attempt + 1), [], host);
    const late = await seat.cli(["restart", run]);
    assert.deepEqual([late.code, /it is over \(stopped\)/.test(late.err)], [2, true], late.err);
  });
});
