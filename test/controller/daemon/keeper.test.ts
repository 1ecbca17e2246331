/** How a host is kept linked: what opens too late is closed, a link that dies at once is not dialled in a storm, a dial that stands still is given up. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fail, type Problem } from "../../../cluster/errors.ts";
import type { HostFacts, HostSpec } from "../../../cluster/spec.ts";
import { type HostListener, type Keeper, keepHost, type Ways } from "../../../controller/daemon/keeper.ts";
import type { StartedAgent } from "../../../controller/reach/bootstrap.ts";
import type { AgentLink } from "../../../controller/reach/link.ts";
import type { Transport } from "../../../controller/reach/transport.ts";

const HOST: HostSpec = { name: "h", transport: "ssh", address: "h", env: {}, gpus: { kind: "none", slots: 1 } };
const LENT = { env: {}, agentSocket: null, acceptNewHostKeys: false };
const never = <T>(): Promise<T> => new Promise(() => undefined);

/** Everything that is under way in promises, not in time. */
const settle = async (): Promise<void> => {
  for (let k = 0; k < 5; k += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** A host of scripted ways, on a clock of the test's. */
function stage(t: TestContext, script: Partial<Ways> = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const did: string[] = [];
  const told: string[] = [];
  const problems: Problem[] = [];
  let broken: ((why: string) => void) | null = null;
  const thing = (name: string) => {
    const { promise: closed, resolve } = Promise.withResolvers<string>();
    broken = resolve;
    return {
      closed,
      close: () => {
        did.push(`close ${name}`);
        resolve("closed");
      },
    };
  };
  const step = <T>(name: string, give: T): Promise<T> => {
    did.push(name);
    return Promise.resolve(give);
  };
  const ways: Ways = {
    reach: () => step("reach", { ...thing("transport"), driver: "ssh2", address: "h", why: "" } as unknown as Transport),
    lookAt: () => step("look", {} as HostFacts),
    bringUpAgent: () => step("bring up", { key: "k", socket: "/s", token: "t", pid: 1 } as StartedAgent),
    reachSocket: () => step("socket", {} as never),
    openLink: () => step("link", { ...thing("link"), welcome: { bundle: "b", pid: 1 } } as unknown as AgentLink),
    ...script,
  };
  const keeper = keepHost(HOST, "c", () => did.push("idle"), ways);
  const listener: HostListener = {
    linked: () => told.push("linked"),
    refused: (problem) => {
      told.push("refused");
      problems.push(problem);
    },
    lost: () => told.push("lost"),
    event: () => undefined,
    frame: () => undefined,
    silent: () => undefined,
    heard: () => undefined,
    notice: () => undefined,
  };
  const listen = (on: Keeper = keeper, connectMs = 30_000, more: Partial<HostListener> = {}): (() => void) =>
    on.listen({ ...listener, past: () => told.push("past"), ...more }, connectMs, LENT);
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await settle();
  };
  const dials = (): number => did.filter((what) => what === "reach").length;
  return { keeper, did, told, problems, listen, pass, dials, thing, breakLink: () => broken?.("the peer went") };
}

test("a transport that opens after its keeper was closed is closed again, and nothing is looked at or started on the host", async (t) => {
  const { promise, resolve } = Promise.withResolvers<Transport>();
  const on = stage(t, { reach: () => promise });
  on.listen();
  await settle();
  on.keeper.close();
  const { closed, close } = on.thing("late transport");
  resolve({ closed, close } as unknown as Transport);
  await settle();
  assert.deepEqual(on.did, ["idle", "close late transport"]);
  await on.pass(120_000);
  assert.deepEqual([on.told, on.dials()], [[], 0], "a closed keeper never dials again");
});

for (const [what, script] of Object.entries({
  looking: { lookAt: () => never<HostFacts>() },
  "bringing the agent up": { bringUpAgent: () => never<StartedAgent>() },
  linking: { openLink: () => never<AgentLink>() },
})) {
  test(`closed while ${what}: the transport is closed at once`, async (t) => {
    const on = stage(t, script);
    on.listen();
    await settle();
    assert.ok(!on.did.includes("close transport"));
    on.keeper.close();
    await settle();
    assert.ok(on.did.includes("close transport"));
    assert.deepEqual(on.told, []);
  });
}

test("a host on which nothing of what is asked for can be is looked at, and nothing is brought there", async (t) => {
  const on = stage(t, { lookAt: () => Promise.resolve({ bootId: "new" } as HostFacts) });
  on.listen(on.keeper, 30_000, { isNeeded: ({ bootId }) => bootId === "old" });
  await settle();
  assert.deepEqual([on.told, on.did], [["past"], ["reach", "close transport"]]);
  await on.pass(120_000);
  assert.equal(on.dials(), 1, "nothing is left to ask for");
  on.listen();
  await settle();
  assert.equal(on.told.at(-1), "linked", "another run needs it");
});

test("a full disk is not filled again every few seconds", async (t) => {
  const on = stage(t, { bringUpAgent: () => Promise.reject(fail("DISK_FULL", { host: "h", text: "/" })) });
  on.listen();
  await settle();
  assert.equal(on.problems[0]?.code, "DISK_FULL");
  await on.pass(240_000);
  assert.equal(on.dials(), 1);
  await on.pass(61_000);
  assert.equal(on.dials(), 2);
  on.keeper.hurry();
  await settle();
  assert.equal(on.dials(), 3, "but when somebody asks for it");
});

test("a link that dies at once is dialled again ever more seldom; one that lived long is dialled soon", async (t) => {
  const on = stage(t);
  on.listen();
  await settle();
  const waits: number[] = [];
  for (let k = 0; k < 7; k += 1) {
    assert.equal(on.keeper.current() === null, false);
    const dials = on.dials();
    on.breakLink();
    await settle();
    assert.equal(on.told.at(-1), "lost");
    let waited = 0;
    for (; on.dials() === dials && waited < 60_000; waited += 100) await on.pass(100);
    waits.push(waited);
    await settle();
  }
  for (const [k, wait] of waits.entries())
    assert.ok(wait >= Math.min(15_000, 500 * 2 ** (k + 1)) && wait <= Math.min(15_000, 500 * 2 ** (k + 1)) * 1.25 + 100, `${waits}`);
  await on.pass(31_000);
  const dials = on.dials();
  on.breakLink();
  await settle();
  await on.pass(700);
  assert.equal(on.dials(), dials + 1, "within the shortest wait");
});

test("a dial that stands still is given up with LINK_SILENT and what it was doing, and is tried again; a slow one that gets on is not", async (t) => {
  let say: (text: string) => void = () => undefined;
  const on = stage(t, {
    bringUpAgent: (_, __, ___, step) => {
      say = step;
      return never<StartedAgent>();
    },
  });
  on.listen();
  await settle();
  for (let k = 0; k < 10; k += 1) {
    await on.pass(59_000);
    say(`uploading agent, ${k} of 10 MB`);
  }
  assert.deepEqual([on.told, on.dials()], [[], 1], "an upload over a slow line takes its time");
  await on.pass(60_000);
  assert.deepEqual(on.told, ["refused"]);
  assert.equal(on.problems[0]?.code, "LINK_SILENT");
  assert.match(on.problems[0]?.message ?? "", /^h made no progress for 60 s while uploading agent, 9 of 10 MB$/);
  assert.ok(on.did.includes("close transport"));
  await on.pass(2000);
  assert.equal(on.dials(), 2);
});

test("refusals are told when the connect time is over, at once when only a person can mend them; the keeper goes on trying", async (t) => {
  let code: "UNREACHABLE" | "AUTH_FAILED" = "UNREACHABLE";
  let dials = 0;
  const on = stage(t, {
    reach: () => {
      dials += 1;
      return Promise.reject(fail(code, { host: "h" }));
    },
  });
  on.listen(on.keeper, 10_000);
  await settle();
  for (let k = 0; k < 60; k += 1) await on.pass(100);
  assert.ok(dials > 2);
  assert.deepEqual(on.told, [], "not yet");
  for (let k = 0; k < 40; k += 1) await on.pass(100);
  assert.deepEqual(on.told, ["refused"], "when the time is over, not a retry later");
  code = "AUTH_FAILED";
  const [before, tried] = [on.told.length, dials];
  for (let k = 0; k < 200 && dials === tried; k += 1) await on.pass(100);
  assert.equal(on.told.length, before + 1);
  assert.equal(on.problems.at(-1)?.code, "AUTH_FAILED");
});

test("a link that no run uses stays warm for a while, then goes; a run that comes back in time finds it", async (t) => {
  const on = stage(t);
  const leave = on.listen();
  await settle();
  leave();
  await on.pass(9 * 60_000);
  const again = on.listen();
  await settle();
  assert.deepEqual([on.told, on.dials()], [["linked", "linked"], 1]);
  again();
  await on.pass(10 * 60_000);
  assert.ok(on.did.includes("close link") && on.did.includes("close transport") && on.did.at(-1) === "idle");
});

test("a host that nobody waits for any more and that was never reached is given up at once", async (t) => {
  const on = stage(t, { lookAt: () => never<HostFacts>() });
  const leave = on.listen();
  await settle();
  leave();
  await on.pass(1);
  assert.deepEqual(on.did, ["reach", "idle", "close transport"]);
});
