/** When the controller speaks of a hang: after two looks that agree, once; never while it could not hear, and not of what moves. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Look } from "../../../cluster/hang/look.ts";
import type { Hardware } from "../../../cluster/nccl/judge.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { watchForHang } from "../../../controller/daemon/hang-watch.ts";
import { LOAD, look, process, waiting } from "../../cluster/hang/looks.ts";
import { requested } from "../../cluster/run/model.ts";

const initial = replay([requested(2)]);
const LIMIT_MS = 10_000;
/** A tick, two looks and what is between them. */
const LOOKS_MS = 8000;
const STUCK = look([waiting(0), { rank: 1, host: "b", main: process(LOAD) }]);

type Rig = { state: RunState; isAwake: boolean; looks: number; readonly events: RunEvent[]; readonly hardware: Hardware; seen: typeof STUCK };
const deps = (it: Rig): Parameters<typeof watchForHang>[0] => ({
  state: () => it.state,
  now: Date.now,
  isAwake: () => it.isAwake,
  look: async (): Promise<Look> => {
    it.looks += 1;
    return { ...it.seen, at: Date.now() };
  },
  hardware: async () => it.hardware,
  apply: (event) => it.events.push(event),
});

/** A watch on a clock of the test's own. `move` makes every look differ from the last. */
function watched(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const seen = Object.fromEntries(Object.entries(initial.hosts).map(([name, host]) => [name, { ...host, seen: true }]));
  const now = Date.now();
  const spec = { ...initial.spec, timeouts: { ...initial.spec.timeouts, hangMs: LIMIT_MS, firstStepMs: 3 * LIMIT_MS } };
  const it = {
    state: { ...initial, spec, phase: "running", attempt: 1, members: ["a", "b"], hosts: seen, awakeSince: now } as RunState,
    isAwake: true,
    looks: 0,
    events: [] as RunEvent[],
    hardware: { topology: null, rdma: ["mlx5_0"] } as Hardware,
    seen: STUCK,
  };
  const watch = watchForHang(deps(it));
  t.after(watch.close);
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      t.mock.timers.tick(500);
      for (let k = 0; k < 5; k += 1) await new Promise(setImmediate);
    }
  };
  const write = (text: string, stream = "a1/rank0.out"): void => watch.push("a", stream, Buffer.from(text), Date.now());
  const types = (): string[] => it.events.map(({ type }) => type);
  return { it, watch, pass, write, types };
}

test("two looks that agree make one hang; a step ends it, and it may come again", async (t) => {
  const { it, pass, write, types } = watched(t);
  write("step 1 loss 2\n");
  await pass(LIMIT_MS);
  assert.deepEqual([types(), it.looks], [[], 0]);
  await pass(LOOKS_MS);
  assert.deepEqual([types(), it.looks], [["hang-found"], 2]);
  const [found] = it.events;
  assert.match(found?.type === "hang-found" ? found.verdict.text : "", /^rank 1 on b is in load\.py:88/);
  await pass(60_000);
  assert.deepEqual([types(), it.looks], [["hang-found"], 2], "said once, and the ranks are left in peace");
  write("step 2 lo");
  assert.deepEqual(types(), ["hang-found", "hang-over"], "also a line without its end");
  await pass(LIMIT_MS + LOOKS_MS);
  assert.deepEqual(types(), ["hang-found", "hang-over", "hang-found"]);
});

test("before the first step the limit is another one; other attempts and NCCL's own words are no progress", async (t) => {
  const { pass, write, types } = watched(t);
  await pass(2 * LIMIT_MS);
  write("step 1 loss 2\n", "a2/rank0.out");
  write("NCCL INFO step 1\n", "a1/rank0.nccl");
  assert.deepEqual(types(), []);
  await pass(LIMIT_MS + LOOKS_MS);
  assert.deepEqual(types(), ["hang-found"]);
});

test("while a host is out of sight, or after the controller slept, nothing is judged; time begins anew then", async (t) => {
  const { it, pass, write, types } = watched(t);
  write("step 1 loss 2\n");
  const { hosts } = it.state;
  it.state = { ...it.state, hosts: { ...hosts, b: { ...hosts.b, seen: false } as (typeof hosts)[string] } };
  await pass(10 * LIMIT_MS);
  assert.deepEqual([types(), it.looks], [[], 0]);
  it.state = { ...it.state, hosts };
  await pass(LIMIT_MS - 1000);
  assert.equal(it.looks, 0);
  it.isAwake = false;
  await pass(10 * LIMIT_MS);
  assert.equal(it.looks, 0);
  it.state = { ...it.state, awakeSince: Date.now() };
  it.isAwake = true;
  await pass(LIMIT_MS - 1000);
  assert.equal(it.looks, 0);
  await pass(LOOKS_MS + 1000);
  assert.deepEqual(types(), ["hang-found"]);
});

test("a step between the looks, a host that goes dark between them, or an end: no hang", async (t) => {
  const { it, watch, pass, write, types } = watched(t);
  write("step 1 loss 2\n");
  await pass(LIMIT_MS + 2000);
  assert.equal(it.looks, 1);
  write("step 2 loss 1\n");
  await pass(LOOKS_MS);
  assert.deepEqual(types(), []);
  await pass(LIMIT_MS - LOOKS_MS + 2000);
  assert.equal(it.looks, 3);
  const { hosts } = it.state;
  it.state = { ...it.state, hosts: { ...hosts, b: { ...hosts.b, seen: false } as (typeof hosts)[string] } };
  await pass(LOOKS_MS);
  it.state = { ...it.state, hosts };
  assert.deepEqual(types(), []);
  watch.close();
  await pass(10 * LIMIT_MS);
  write("step 3 loss 1\n");
  assert.deepEqual([types(), it.looks], [[], 4]);
});

test("the pace is read from the same lines, a bar's unended one too, of all streams of a rank", async (t) => {
  const { watch, write } = watched(t);
  write("{'loss': '4.3', 'epoch': '0.5'}\n");
  write(" 17%|#   | 5/30 [00:03<00:17,  1.46it/s]", "a1/rank0.err");
  write("step 99 loss 1\n", "a1/launcher.out");
  write("step 98 loss 1\n", "a2/rank0.out");
  const pace = watch.pace.pace();
  assert.deepEqual([pace?.rank, pace?.step, pace?.total, pace?.loss, pace?.epoch], [0, 5, 30, 4.3, 0.5]);
});

test("once all ranks are connected with NCCL, a slower way than the hosts have is told, once", async (t) => {
  const { it, watch, pass } = watched(t);
  it.state = { ...it.state, world: 2 };
  const own = watchForHang({ ...deps(it), state: () => it.state });
  t.after(own.close);
  const nccl = (rank: number, host: string): void => {
    const lines = [
      `${host}:1:1 [0] NCCL INFO comm 0x1 rank ${rank} nranks 2 cudaDev 0 nvmlDev 0 busId 1 - Init START`,
      `${host}:1:1 [0] NCCL INFO Channel 00/0 : ${rank}[0] -> ${1 - rank}[0] [send] via NET/Socket/0`,
      `${host}:1:1 [0] NCCL INFO comm 0x1 rank ${rank} nranks 2 cudaDev 0 nvmlDev 0 busId 1 - Init COMPLETE`,
    ];
    own.push(host, `a1/rank${rank}.nccl`, Buffer.from(`${lines.join("\n")}\n`), Date.now());
  };
  watch.close();
  nccl(0, "a");
  await pass(15_000);
  assert.deepEqual(it.events.length, 0);
  nccl(1, "b");
  await pass(15_000);
  nccl(1, "b");
  await pass(15_000);
  const told = it.events.filter((event) => event.type === "finding");
  assert.deepEqual(
    told.map(({ finding }) => finding.text),
    ["a: NCCL goes over TCP, though there is RDMA (mlx5_0)", "b: NCCL goes over TCP, though there is RDMA (mlx5_0)"],
  );
});
