/** What --json prints is what docs/json.md says, and status looks again until the run is over. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { JSON_DOCUMENTS } from "../../../cluster/json/documents.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import { nexadist, place } from "../../support/cli.ts";
import { type Asked, fakeController, lifeOf, ROW, SPEC } from "../../support/fake-controller.ts";

const RUNNING = replay(lifeOf(SPEC, "running"));
const ENDED = replay(lifeOf(SPEC, "failed"));
const SAMPLE = { gpus: {}, processes: {}, host: { load1: 1 }, nets: {}, disks: {} };

function answer({ request, item, end }: Asked): void {
  if (request.ask === "runs") return end([ROW]);
  if (request.ask === "run") return end({ state: RUNNING, events: 1, dir: "/d", wroteAt: 5, pace: null, notes: [] });
  if (request.ask === "samples") {
    item({ kind: "sample", host: "gpu-a", point: { at: 1, spanMs: 1000, sample: SAMPLE } });
    const hosts = [{ host: "gpu-a", at: 1, heardAt: 2, sample: SAMPLE }];
    return end({ state: RUNNING, now: 3, hosts, totals: { gpuHours: 1, energyKwh: null, measuredShare: null } });
  }
  if (request.ask === "logs") item({ kind: "line", line: { host: "gpu-a", rank: 0, stream: "out", attempt: 1, at: 0, text: "hello" } });
  return end(null);
}

test("ps, runs, status, logs, gpus, top, diag and an error are as documented", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", "cluster:\n  - {host: here, transport: local, gpus: 0, slots: 1}\n");
  const fake = await fakeController(t, answer);
  const cases: readonly (readonly [keyof typeof JSON_DOCUMENTS, readonly string[], number])[] = [
    ["ps", ["ps"], 0],
    ["ps", ["runs"], 0],
    ["status", ["status"], 0],
    ["logs", ["logs"], 0],
    ["gpus", ["gpus", SPEC.run], 0],
    ["top", ["top"], 0],
    ["diag", ["diag", "--only", "access"], 0],
    ["error", ["status", "absent"], 2],
  ];
  for (const [name, args, exit] of cases) {
    const { code, out, err } = await nexadist(t, at, [...args, "--json"], { NEXADIST_STATE_DIR: fake.stateDir });
    assert.deepEqual([code, err], [exit, ""], `${args.join(" ")}: ${out}`);
    const documents = /^\{\n/.test(out) ? [out] : out.trimEnd().split("\n");
    for (const text of documents) {
      const found = JSON_DOCUMENTS[name].shape.safeParse(JSON.parse(text));
      assert.ok(found.success, `${args.join(" ")}: ${found.error?.message}\n${text.slice(0, 2000)}`);
    }
  }
});

test("status --watch looks again, and ends with the run", async (t) => {
  const at = place(t);
  let looks = 0;
  const fake = await fakeController(t, (asked) => {
    if (asked.request.ask !== "run") return answer(asked);
    looks += 1;
    asked.end({ state: looks < 3 ? RUNNING : ENDED, events: 1, dir: "/d", wroteAt: null, pace: null, notes: [] });
  });
  const { code, out } = await nexadist(t, at, ["status", "--watch", "--json"], { NEXADIST_STATE_DIR: fake.stateDir });
  const phases = out
    .trimEnd()
    .split("\n")
    .map((text) => (JSON.parse(text) as { readonly state: { readonly phase: string } }).state.phase);
  assert.deepEqual([code, phases], [0, ["running", "running", "failed"]]);
});

test("colours where they are wanted, and nowhere else", async (t) => {
  const at = place(t);
  const fake = await fakeController(t, answer);
  const ask = async (...args: string[]): Promise<string> => (await nexadist(t, at, args, { NEXADIST_STATE_DIR: fake.stateDir })).out;
  for (const command of ["ps", "status"]) {
    const [plain, dressed] = [await ask(command), await ask(command, "--color")];
    assert.equal(plain.includes("\u001b"), false, command);
    assert.ok(dressed.includes("\u001b[32m"), command);
  }
});
