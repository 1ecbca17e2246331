/** A watch whose controller comes back and knows nothing of the run any more. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { nexadist, place } from "../../support/cli.ts";
import { type Asked, fakeController, lifeOf, SPEC } from "../../support/fake-controller.ts";

const FILE = "cluster:\n  - {host: gpu-a, gpus: 0, slots: 1}\n  - {host: gpu-b, gpus: 0, slots: 1}\n";
const RUN = SPEC.run;

test("a controller that came back without its disk: the run goes on, and how to lead it is said", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  let watches = 0;
  const fake = await fakeController(t, ({ request, item, end, problem, socket }) => {
    if (request.ask === "runs") return end([]);
    if (request.ask === "up") return end({ run: RUN });
    if (request.ask !== "watch") return end(null);
    if (++watches > 1) return problem({ code: "NO_RUN", message: `there is no run ${RUN}`, hint: "nexadist runs", exit: 2 });
    for (const [index, event] of lifeOf(SPEC, "running").entries()) item({ kind: "event", index, event });
    socket.end();
  });
  const said = await nexadist(t, at, ["up"], { NEXADIST_STATE_DIR: fake.stateDir });
  assert.equal(said.code, 7, said.err);
  assert.match(said.err, /training goes on on its hosts\n.*nexadist takeover train_20260102_030405 -c FILE/);
  assert.doesNotMatch(said.err, /there is no run/);
});

test("a controller of another build in its place is neither watched nor ended: one line says how to attach again", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", FILE);
  let build: string | undefined;
  const after = async ({ request, item, end, socket }: Asked): Promise<void> => {
    if (request.ask === "runs") return end([]);
    if (request.ask === "up") return end({ run: RUN });
    if (request.ask !== "watch") return end(null);
    if (build !== undefined) return item({ kind: "event", index: 99, event: { at: 1, type: "of-a-later-build" } as never });
    for (const [index, event] of lifeOf(SPEC, "running").entries()) item({ kind: "event", index, event });
    build = "another";
    socket.end();
  };
  const fake = await fakeController(t, after, undefined, () => build);
  const said = await nexadist(t, at, ["up"], { NEXADIST_STATE_DIR: fake.stateDir });
  assert.equal(said.code, 7, said.err);
  assert.match(
    said.err,
    /a controller of another build has taken the place of the one that was watched; runs go on\n +try: nexadist attach train_20260102_030405\n/,
  );
  assert.doesNotMatch(said.err, /internal error|TypeError| at .*\.ts:/);
  assert.ok(!fake.asked.some(({ ask }) => ask === "quit"), "what is newer is left as it is");
  assert.equal(fake.asked.filter(({ ask }) => ask === "watch").length, 1);
});
