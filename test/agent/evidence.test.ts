/** A real agent is asked why an attempt ended. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostEvidence } from "../../cluster/host-evidence.ts";
import { connect, record, startAgent } from "../support/agent.ts";

test("evidence of an attempt: its error files, the host's clock, and nothing of other attempts", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const as = (command: Parameters<typeof client.as>[2]): Promise<unknown> => client.as("r1", 1, command);
  const ask = async (attempt: number) => hostEvidence.parse(await as({ do: "evidence", attempt }));
  await as({ do: "adopt", record: record("r1", 1, "c1") });
  await as({ do: "subscribe", eventsFrom: 0, cursors: {} });
  const session = { PATH: process.env.PATH ?? "", HOME: agent.home };
  await as({ do: "prepare", python: null, setup: null, secrets: {}, scratch: null, ranks: [0], inPlace: null, hashScript: null, sessionEnv: session });
  const arm = {
    record: record("r1", 1, "c1", 2),
    attempt: 1,
    host: "a",
    ports: [0],
    portRange: [20000, 29999] as [number, number],
    mark: "t/r1/1/a",
    quotaBytes: 1 << 30,
  };
  const { dir } = (await as({ do: "arm", ...arm })) as { dir: string };
  const error = JSON.stringify({ message: { message: "ValueError: bad batch", extraInfo: { py_callstack: "", timestamp: "1" } } });
  await as({
    do: "launch",
    record: record("r1", 1, "c1", 3),
    attempt: 1,
    unset: [],
    ranks: 1,
    stopGraceMs: 1000,
    spawns: [
      { role: "rank", rank: 0, localRank: 0, argv: ["/bin/sh", "-c", `printf '%s' '${error}' > ${dir}/error/rank0.json; exit 1`], env: {}, cwd: agent.home },
    ],
  });
  await client.until(({ event }) => event.type === "drained", "drained");
  const before = Date.now();
  const told = await ask(1);
  assert.deepEqual(
    told.errors.map(({ rank, message }) => ({ rank, message })),
    [{ rank: 0, message: "ValueError: bad batch" }],
  );
  assert.ok(told.now >= before && told.now <= Date.now());
  assert.ok(told.oomKills === null || told.oomKills === 0, "nobody was killed for want of memory");
  assert.ok("a1/rank0.err" in told.sizes || "a1/rank0.out" in told.sizes, JSON.stringify(told.sizes));
  const other = await ask(2);
  assert.deepEqual([other.errors, other.oomKills, other.sizes], [[], null, {}]);
  await assert.rejects(client.as("r1", 0, { do: "evidence", attempt: 1 }), { code: "FENCED" });
});
