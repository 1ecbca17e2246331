/** What --dry-run prints, pasted into two shells, is a run. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { dryRunJson, formatDryRun, formatHost, planDryRun } from "../../../cluster/launch/dry-run.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import { ALL_REDUCE, bareEnv, freePort, loopbackFacts, loopbackSpec, runAll, scratchDir } from "./support.ts";

/** Left behind by other launchers: each would end the run if it got through. */
const POISON = {
  PET_NNODES: "7",
  TORCHELASTIC_USE_AGENT_STORE: "True",
  RANK: "9",
  WORLD_SIZE: "99",
  MASTER_ADDR: "192.0.2.1",
  MASTER_PORT: "1",
  LOCAL_RANK: "5",
};

async function pasted(t: Parameters<typeof runAll>[0], over: Partial<RunSpec>, slots: readonly [number, number]): Promise<string> {
  const dir = scratchDir(t, { "all_reduce.py": ALL_REDUCE });
  const spec = loopbackSpec(
    {
      code: { kind: "in-place", dir },
      job: { kind: "script", script: "all_reduce.py", args: [] },
      env: { MY_VALUE: "it's $HOME" },
      secretNames: { "*": ["MY_SECRET"] },
      rdzv: { host: "a", port: await freePort() },
      ...over,
    },
    slots,
  );
  const plan = planDryRun(spec, loopbackFacts);
  const text = formatDryRun(plan);
  assert.match(text, /export MY_SECRET="\$MY_SECRET"/);
  assert.doesNotMatch(text, /prologue|NEXADIST_/);
  const programs = plan.hosts.map((host) => ({
    argv: ["bash", "-c", formatHost(plan, host)],
    env: { ...bareEnv(dir), ...POISON, MY_SECRET: "canary" },
    cwd: "/",
  }));
  const results = await runAll(t, programs);
  for (const { code, out } of results) assert.equal(code, 0, `${text}\n${out}`);
  return results.map(({ out }) => out).join("\n");
}

test("torchrun, 3 + 1", async (t) => {
  const out = await pasted(t, {}, [3, 1]);
  for (const rank of [0, 1, 2, 3]) {
    assert.match(out, new RegExp(`rank ${rank}/4 local ${rank % 3} group ${rank < 3 ? 0 : 1} sum 10 args it's \\$HOME`));
  }
});

test("direct, 1 + 2", async (t) => {
  const out = await pasted(t, { launcher: "direct" }, [1, 2]);
  for (const rank of [0, 1, 2]) assert.match(out, new RegExp(`rank ${rank}/3 local ${rank === 2 ? 1 : 0} group ${rank > 0 ? 1 : 0} sum 6`));
});

test("accelerate, 1 + 1, with a configuration made by hand", async (t) => {
  const out = await pasted(t, { launcher: "accelerate", accelerateConfig: { distributed_type: "MULTI_CPU", mixed_precision: "no", use_cpu: true } }, [1, 1]);
  for (const rank of [0, 1]) assert.match(out, new RegExp(`rank ${rank}/2 local 0 group ${rank} sum 3`));
});

test("the same as JSON, without a value of a secret", () => {
  const spec = loopbackSpec({ secretNames: { a: ["TOKEN"] } }, [1, 1]);
  const json = JSON.parse(JSON.stringify(dryRunJson(planDryRun(spec, () => null)))) as {
    schema: number;
    hosts: { env: { name: string; value: string }[]; processes: { argv: unknown }[] }[];
  };
  assert.equal(json.schema, 1);
  assert.deepEqual(
    json.hosts[0]?.env.filter((each) => each.name === "TOKEN").map((each) => each.value),
    ["$TOKEN"],
  );
  assert.equal(json.hosts[0]?.processes[0]?.argv, null);
});
