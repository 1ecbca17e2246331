/** Ranks that die as real ones do, on two hosts: the first failure is named, with its place and its proof, and no victim of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cause } from "../../cluster/run/cause.ts";
import { openSeat, type Seat } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const file = (launcher: string): string => `cluster: [{host: ${A}}, {host: ${B}}]
defaults: {gpus: 0, slots: 2}
launcher: ${launcher}
restart: {max: 0}
timeouts: {stop_grace: 2s}
`;

/** All meet over gloo; then rank 3 does what is asked, and the others wait for it in a collective. */
const DIE = `import ctypes, os, signal, sys
import torch, torch.distributed as dist

def step(how):
    if how == "raise": raise ValueError("bad batch of canary-s3cret")
    if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if how == "crash": ctypes.string_at(0)
    if how == "exit": os._exit(7)
    if how == "term": os.kill(os.getppid(), signal.SIGKILL)

dist.init_process_group("gloo")
for n in range(100):
    dist.all_reduce(torch.ones(1))
    if n == 3 and dist.get_rank() == 3: step(sys.argv[1])
`;
const WRONG = `import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", required=True)
p.parse_args()
`;

async function causeOf(seat: Seat, args: readonly string[]): Promise<{ cause: Cause; summary: string }> {
  const run = await seat.up(args, { env: { TOKEN: "canary-s3cret" } });
  const cause = await seat.wait(run, "its cause", (events) => events.find((event) => event.type === "attempt-diagnosed")?.cause);
  await seat.ended(run);
  return { cause, summary: (await seat.cli(["status", run])).out };
}

type Case = readonly [how: string, launcher: string, wanted: Partial<Cause> & { readonly says: RegExp }];

const CASES: readonly Case[] = [
  [
    "raise",
    "torchrun",
    {
      // Its exit is 1, or SIGABRT where torch's threads do not survive the interpreter's end.
      kind: "exception",
      rank: 3,
      host: B,
      place: "die.py:5 ValueError",
      says: /^rank 3 on \S+ raised ValueError: bad batch of \$TOKEN at die\.py:5 in step\(\); 3 other ranks ended because of it$/,
    },
  ],
  ["kill", "torchrun", { kind: "signal", rank: 3, place: "signal:SIGKILL", says: /^rank 3 on \S+ was ended by SIGKILL; 3 other/ }],
  ["crash", "direct", { kind: "signal", rank: 3, place: "signal:SIGSEGV", says: /^rank 3 on \S+ was ended by SIGSEGV at die\.py:7 in step\(\); 3 other/ }],
  ["exit", "direct", { kind: "exit", rank: 3, exitCode: 7, place: "exit:7", says: /^rank 3 on \S+ exited with code 7; 3 other/ }],
  ["term", "torchrun", { kind: "launcher", host: B, rank: null, says: /^torchrun on \S+ was ended by SIGKILL/ }],
];

test("the first failure is named", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("die.py", DIE);
  seat.write("wrong.py", WRONG);

  for (const [how, launcher, { says, ...wanted }] of CASES) {
    await t.test(`${how} under ${launcher}`, async () => {
      seat.write("c.yaml", `${file(launcher)}env: {TOKEN: "env:TOKEN"}\n`);
      const { cause, summary } = await causeOf(seat, ["c.yaml", "--", "die.py", how]);
      assert.match(cause.text, says, JSON.stringify(cause, null, 1));
      for (const [key, value] of Object.entries(wanted)) assert.deepEqual(cause[key as keyof Cause], value, JSON.stringify(cause, null, 1));
      assert.ok(cause.evidence.length > 0 && cause.evidence.length <= 12, JSON.stringify(cause.evidence));
      assert.doesNotMatch(JSON.stringify(cause) + summary, /s3cret/);
      assert.match(summary, new RegExp(cause.text.split(" ").slice(0, 4).join(" ")), "status says why");
    });
  }

  await t.test("a wrong argument is final and costs one start", async () => {
    seat.write("c.yaml", file("torchrun").replace("max: 0", "max: 3"));
    const { cause } = await causeOf(seat, ["c.yaml", "--", "wrong.py"]);
    assert.match(cause.text, /was started wrongly \(exit 2\): wrong\.py: error: the following arguments are required: --lr/);
    assert.ok(cause.isFinal && cause.kind === "exit");
  });
});
