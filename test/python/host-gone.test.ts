/** Agents that nothing reaches any more, and starts that race an uninstall: "nothing is left" is never said while one lives. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { startTicks } from "../../agent/process-start.ts";
import { REPLACED } from "../../cluster/protocol.ts";
import { connect, startAgent, type TestAgent } from "../support/agent.ts";
import { until } from "../support/controller.ts";
import { askHost } from "../support/host-helper.ts";

type Found = { readonly key: string; readonly pid: number; readonly isLost?: boolean };

const ask = (agent: TestAgent, op: string) => askHost({ op, stateDir: agent.root }, { env: { HOME: agent.home } });
/** This machine may hold others. */
const found = async (agent: TestAgent): Promise<readonly Found[]> =>
  ((await ask(agent, "agents")).value.agents as Found[]).filter(({ key }) => key === agent.key);

test("an agent whose directories were deleted is seen, and ended by an uninstall", async (t) => {
  const agent = await startAgent(t);
  assert.deepEqual(
    (await found(agent)).map(({ pid, isLost }) => [pid, isLost]),
    [[agent.pid, undefined]],
  );
  process.kill(agent.pid, "SIGSTOP"); // it would leave by itself
  t.after(() => startTicks(agent.pid) !== null && process.kill(agent.pid, "SIGKILL"));
  rmSync(agent.runtimeDir, { recursive: true });
  rmSync(agent.root, { recursive: true });
  assert.deepEqual(
    (await found(agent)).map(({ pid, isLost }) => [pid, isLost]),
    [[agent.pid, true]],
  );
  const gone = await ask(agent, "uninstall");
  assert.deepEqual([gone.ok, gone.value.agents], [true, [agent.key]]);
  assert.equal(startTicks(agent.pid), null);
});

test("an agent whose state was deleted leaves by itself", async (t) => {
  const agent = await startAgent(t);
  rmSync(agent.root, { recursive: true });
  await until("it has left", () => startTicks(agent.pid) === null);
});

test("starts that race an uninstall leave no agent that nothing reaches", async (t) => {
  const agent = await startAgent(t);
  const begin = () => agent.start().catch(() => null);
  await Promise.all([ask(agent, "uninstall"), begin(), begin(), begin()]);
  assert.deepEqual(
    (await found(agent)).filter(({ isLost }) => isLost),
    [],
  );
});

test("an agent that an upgrade ends says so", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const next = await agent.start({ bundle: await agent.putBundle("another"), upgrade: true });
  assert.notEqual(next.pid, agent.pid);
  assert.equal((await client.closed).reason, REPLACED);
});
