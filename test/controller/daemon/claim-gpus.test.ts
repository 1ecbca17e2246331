/** Claims over several hosts: all or none, turns between two that each have a part, a queue that is told once, and hosts that cannot be asked. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, start } from "../../../cluster/run/reduce.ts";
import type { GpuRequest, HostFacts, RunSpec } from "../../../cluster/spec.ts";
import { claimGpus } from "../../../controller/daemon/claim-gpus.ts";
import type { RecoveryDeps } from "../../../controller/daemon/recovery.ts";
import { spec as base } from "../../cluster/run/model.ts";

const gpus = [0, 1].map((index) => ({ index, uuid: `GPU-${index}`, name: "H100", memoryMiB: 81_559 }));
const busy = { ok: false, busy: [{ kind: "run", gpu: 0, run: "other", name: "o", user: "ann" }] };

type Answer = (host: string, command: Command, asked: number) => unknown;

/** Two hosts whose agents answer as told; `asked` counts the claims of that host. */
function world(answer: Answer, { request = { kind: "auto" } as GpuRequest, spec = {} as Partial<RunSpec>, welcome = { claims: true } as object } = {}) {
  const one = base(2);
  const hosts = ["a", "b"].map((name) => ({ name, transport: "ssh" as const, address: name, env: {}, gpus: request }));
  let state = start({ at: 5, type: "requested", spec: { ...one, hosts, ...spec }, by: "me" });
  for (const { name: host } of hosts) {
    const agent = { key: host, bundle: "b", pid: 1 };
    const dirs = { bundle: "/b", state: "/s", runtime: "/r" };
    state = reduce(state, { at: 6, type: "host-connected", host, facts: { gpus } as unknown as HostFacts, dirs, agent, driver: "", why: "", dialled: null });
  }
  const done: string[] = [];
  const said: RunEvent[] = [];
  const counts = new Map<string, number>();
  let isWanted = true;
  const linked = (host: string) => ({
    link: {
      welcome,
      command: async (command: Command) => {
        done.push(`${command.do} ${host}${command.do === "claim" && command.mayQueue ? " queue" : ""}`);
        if (command.do === "claim") counts.set(host, (counts.get(host) ?? 0) + 1);
        return answer(host, command, counts.get(host) ?? 0) ?? (command.do === "claim" ? { ok: true, gpus: gpus.map(({ uuid }) => uuid), notes: [] } : {});
      },
    },
  });
  const deps = {
    state,
    linked,
    isWanted: () => isWanted,
    now: () => 9,
    tell: (event: RunEvent) => said.push(event),
    record: { run: "r", epoch: 1, controller: "c" },
  } as unknown as RecoveryDeps;
  const drop = (): void => {
    isWanted = false;
  };
  return { done, said, drop, claim: () => claimGpus(deps, ["a", "b"]) };
}

test("all are free: one question a host", async () => {
  const { claim, done } = world(() => undefined);
  const event = await claim();
  assert.deepEqual(event.type === "gpus-claimed" && event.claims.b, { gpus: ["GPU-0", "GPU-1"], notes: [] });
  assert.deepEqual(done, ["claim a queue", "claim b queue"]);
});

test("a part is not kept: it is let go, asked for again in turn, and at last refused with who has them", async () => {
  const { claim, done, said } = world((host, { do: what }) => (what === "claim" && host === "b" ? busy : undefined));
  const event = await claim();
  assert.ok(event.type === "host-failed" && event.during === "claim");
  assert.deepEqual([event.host, event.problem.code, event.problem.exit], ["b", "GPUS_BUSY", 5]);
  assert.match(event.problem.message, /b: its GPUs are not free: GPU 0: run other \(o\) of ann/);
  assert.match(event.problem.hint, /nexadist up --wait/);
  assert.deepEqual(done.slice(0, 3), ["claim a queue", "claim b queue", "unclaim a"]);
  assert.deepEqual(done.slice(-3), ["claim a", "claim b", "unclaim a"], "the last word leaves no place in a queue");
  assert.deepEqual(said, []);
});

test("of two that each had a part the one whose turn it is gets all", async () => {
  const { claim } = world((host, { do: what }, asked) => (what === "claim" && host === "b" && asked === 1 ? busy : undefined));
  assert.equal((await claim()).type, "gpus-claimed");
});

test("a run that may wait says why it waits once, and goes on when they are free", async () => {
  const { claim, said } = world((host, { do: what }, asked) => (what === "claim" && host === "a" && asked < 3 ? busy : undefined), {
    spec: { waitsForGpus: true },
  });
  assert.equal((await claim()).type, "gpus-claimed");
  assert.deepEqual(said, [{ at: 9, type: "gpus-busy", busy: { a: "GPU 0: run other (o) of ann" } }]);
});

test("what is not wanted any more stops asking", async () => {
  const { claim, drop } = world((_, { do: what }) => (what === "claim" ? busy : undefined), { spec: { waitsForGpus: true } });
  const claimed = claim();
  drop();
  await assert.rejects(claimed, { code: "NOT_WANTED" });
});

test("an agent that is too old, and a host where nothing can be agreed on: told, and only forced past the latter", async () => {
  const old = await world(() => undefined, { welcome: {} }).claim();
  assert.match(JSON.stringify(old), /"gpus":\["GPU-0","GPU-1"\],"notes":\["its agent is too old/);
  const unusable = (_: string, command: Command): unknown => (command.do === "claim" ? { ok: false, unusable: "of user eve" } : undefined);
  const refused = await world(unusable).claim();
  assert.ok(refused.type === "host-failed" && refused.problem.code === "CLAIMS_UNUSABLE");
  const forced = await world(unusable, { spec: { isForced: true } }).claim();
  assert.match(JSON.stringify(forced), /other runs are not kept off its GPUs: of user eve/);
});

test("what the host lacks is refused in the words of before, and nothing is asked", async () => {
  const { claim, done } = world(() => undefined, { request: { kind: "count", count: 9 } });
  const event = await claim();
  assert.ok(event.type === "host-failed" && event.during === "claim" && event.problem.code === "GPU_COUNT");
  assert.deepEqual(done, []);
});

test("of several hosts whose GPUs are busy all are told, the first one first", async () => {
  const { claim } = world((_, { do: what }) => (what === "claim" ? busy : undefined));
  const event = await claim();
  assert.ok(event.type === "host-failed");
  const who = "its GPUs are not free: GPU 0: run other (o) of ann";
  assert.equal(event.problem.message, `a: ${who}\nb: ${who}`);
  assert.equal(event.problem.hint.match(/up --wait/g)?.length, 1, "one cure for all is told once");
});
