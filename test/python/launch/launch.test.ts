/** The plan's own command lines, prologue included, under a real torch. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { HostPlan } from "../../../cluster/launch/types.ts";
import { bareEnv, freePort, loopbackSpec, realPlan, runAll, scratchDir } from "./support.ts";

/** Says who it is and where its store was, after an all-reduce has shown that it is true. */
const WHO = `
import os, sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
x = torch.ones(1)
dist.all_reduce(x)
print(dist.get_rank(), int(x.item()), os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], os.environ["NEXADIST_RUN"], sorted(n for n in os.environ if n in ("NEXADIST_SOCKET", "NEXADIST_DIR")), sys.argv[1:], flush=True)
dist.destroy_process_group()
`;

const JOB = { kind: "script", script: "who.py", args: ["a b", "--x=$HOME"] } as const;
const started = (dir: string, hosts: readonly HostPlan[]) =>
  hosts.flatMap((host) => host.spawns.map(({ argv, env, cwd }) => ({ argv, env: { ...bareEnv(dir), ...env }, cwd })));
const said = (dir: string, host: string, rank: number): string => readFileSync(join(dir, host, `rank${rank}.out`), "utf8").trim();

test("torchrun with the rendezvous on the second host: ranks in file order, MASTER_PORT as held", async (t) => {
  const dir = scratchDir(t, { "who.py": WHO });
  const ports = { rdzv: await freePort(), master: await freePort() };
  const plan = realPlan(loopbackSpec({ job: JOB, rdzv: { host: "b", port: ports.rdzv } }, [1, 2]), dir, ports);
  for (const { code, out } of await runAll(t, started(dir, plan.hosts))) assert.equal(code, 0, out);
  for (const rank of [0, 1, 2]) {
    assert.equal(said(dir, rank === 0 ? "a" : "b", rank), `${rank} 3 127.0.0.1 ${ports.master} train_20251101_143200 [] ['a b', '--x=$HOME']`);
  }
});

test("torchrun-static over IPv6", async (t) => {
  const dir = scratchDir(t, { "who.py": WHO });
  const port = await freePort();
  const spec = loopbackSpec({ launcher: "torchrun-static", job: JOB }, [1, 1]);
  const plan = realPlan({ ...spec, hosts: spec.hosts.map((host) => ({ ...host, address: "::1" })) }, dir, { rdzv: port, master: port });
  for (const { code, out } of await runAll(t, started(dir, plan.hosts))) assert.equal(code, 0, out);
  for (const rank of [0, 1]) assert.equal(said(dir, rank === 0 ? "a" : "b", rank), `${rank} 2 ::1 ${port} train_20251101_143200 [] ['a b', '--x=$HOME']`);
});
