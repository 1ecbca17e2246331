/** A silent host: where the others knock, and what their answers make of it. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { reduce } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { describeEvent } from "../../../cluster/view/event-line.ts";
import type { Linked } from "../../../controller/daemon/keeper.ts";
import { watchSilent } from "../../../controller/daemon/witness.ts";
import { play } from "../../cluster/run/play.ts";

type Asked = { readonly do: string; readonly host: string; readonly port: number };

/** a is silent for a minute; b and c knock and see `saw`. Resolves with what was asked, and why it is lost if it is. */
async function watch(
  t: TestContext,
  sshPort: number | null,
  filePort: number | undefined,
  saw: string,
  looks = 1,
): Promise<{ asked: readonly Asked[]; lost: string; told: readonly string[] }> {
  const run = play({});
  run.tell({ type: "host-unseen", host: "a", why: "silent" });
  const was = reduce(run.state(), { type: "host-connected", host: "a", at: 1, ...connectedAs(run.state(), sshPort) });
  const hosts = was.spec.hosts.map((h) => (h.name === "a" && filePort !== undefined ? { ...h, port: filePort } : h));
  const a = was.hosts.a ?? assert.fail();
  let state: RunState = { ...was, spec: { ...was.spec, hosts }, hosts: { ...was.hosts, a: { ...a, seen: false, unseenAt: 1000 } } };
  const asked: Asked[] = [];
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const command = async (what: Asked): Promise<unknown> => {
    asked.push(what);
    if (asked.length === 2 * looks && saw === "alive") setImmediate(resolve, "");
    return { saw };
  };
  const watching = watchSilent({
    host: "a",
    state: () => state,
    linked: () => ({ link: { command } }) as unknown as Linked,
    heardFromRanksAt: () => 0,
    isAwake: () => true,
    now: () => 61_000,
    lost: resolve,
    witnessed: (what, by) => {
      const event = { at: 61_000, type: "host-witnessed", host: "a", saw: what, by } as const;
      const after = reduce(state, event);
      told.push(...describeEvent(state, after, event));
      state = after;
    },
  });
  t.after(watching.close);
  return { asked, lost: await promise, told };
}

function connectedAs(state: RunState, sshPort: number | null) {
  const { facts, dirs, agent } = state.hosts.a ?? assert.fail();
  if (facts === null || dirs === null || agent === null) return assert.fail("not connected");
  return { facts, dirs, agent, driver: "ssh2", dialled: "10.0.0.5", sshPort, why: "" };
}

test("the others knock where sshd really listens: the file's port, else the one that was dialled, else 22", async (t) => {
  for (const [dialled, file, expected, looks] of [
    [2222, undefined, 2222, 2],
    [2222, 2200, 2200, 1],
    [null, undefined, 22, 1],
  ] as const) {
    const { asked, lost, told } = await watch(t, dialled, file, "alive", looks);
    assert.deepEqual(
      asked.map(({ do: what, host, port }) => [what, host, port]),
      Array.from({ length: 2 * looks }, () => ["knock", "10.0.0.5", expected]),
    );
    assert.deepEqual(
      told,
      ["a: b, c reach it: the host is alive, its agent or the link from here is gone; nothing is restarted"],
      "told once, not at each look",
    );
    assert.equal(lost, "", "a host that answers others is never lost");
  }
});

test("a controller that has just started, and hears nobody yet, tells no cut", async (t) => {
  const run = play({});
  run.tell({ type: "controller-started", controller: "c", epoch: 1 });
  const { promise: hasLooked, resolve } = Promise.withResolvers<void>();
  let looks = 0;
  const watching = watchSilent({
    host: "a",
    state: run.state,
    linked: () => null,
    heardFromRanksAt: () => 0,
    isAwake: () => {
      looks += 1;
      setImmediate(resolve);
      return true;
    },
    now: () => run.state().awakeSince + 500,
    lost: () => assert.fail("lost"),
    witnessed: () => assert.fail("told"),
  });
  t.after(watching.close);
  await hasLooked;
  assert.equal(looks, 1);
});

test("where nobody else gets a connection it is lost, and the reason names who tried", async (t) => {
  const { lost, told } = await watch(t, null, undefined, "dead");
  assert.deepEqual(told, ["a: b, c cannot reach it either"]);
  assert.match(lost, /nothing heard for \d+ s, and b, c cannot reach it either/);
});
