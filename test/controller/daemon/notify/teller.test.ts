/** Those whom the file names are told of each turn of a run once, over a real server that behaves badly, and by a real command. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunEvent } from "../../../../cluster/run/events.ts";
import { reduce, replay } from "../../../../cluster/run/reduce.ts";
import type { RunState } from "../../../../cluster/run/state.ts";
import { command, type Deliver, webhook } from "../../../../controller/daemon/notify/deliver.ts";
import { openTeller, type Teller } from "../../../../controller/daemon/notify/teller.ts";
import { lifeOf, SPEC } from "../../../support/fake-controller.ts";
import { isAlive, until } from "../../../support/mortal.ts";
import { serveWebhooks } from "../../../support/webhook-server.ts";

const LIMITS = { firstMs: 1, mostMs: 5, giveUpMs: 3600_000 };
const SECRET = "canary-1c2d3e";

function rig(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "nexa-notify-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const spec = { ...SPEC, notify: { on: ["failed", "recovered", "hang", "ended"] as const, webhooks: 1, command: null, isBell: false } };
  const now = Date.now();
  const life = lifeOf(spec, "running").map((event): RunEvent => ({ ...event, at: now }));
  const said: string[] = [];
  const open = (targets: Readonly<Record<string, Deliver>>, events: readonly RunEvent[] = life) => {
    let isDone = false;
    let state: RunState = replay(events);
    const teller: Teller = openTeller({
      dir,
      targets: Object.entries(targets).map(([name, deliver]) => ({ name, deliver })),
      events,
      state,
      conceal: (text) => text.replaceAll(SECRET, "$KEY"),
      say: (text) => void said.push(text),
      done: () => {
        isDone = true;
      },
      limits: LIMITS,
    });
    t.after(() => teller.close());
    return {
      teller,
      isDone: () => isDone,
      hangs: (text: string, at = now): RunEvent => {
        const event: RunEvent = { at, type: "hang-found", attempt: 1, verdict: { text, host: null, rank: null, evidence: [] } };
        state = reduce(state, event);
        teller.line(event, state);
        return event;
      },
    };
  };
  return { dir, life, said, open, now, marks: () => readFileSync(join(dir, "notified.jsonl"), "utf8").trim().split("\n").length };
}

test("a server that refuses, fails and is overloaded is told in the end, once and in order; a second one is not held up by it", async (t) => {
  const { open, said, now, marks } = rig(t);
  const [bad, good] = [await serveWebhooks(t), await serveWebhooks(t)];
  await bad.shut();
  const { hangs, teller } = open({ "webhook 1": webhook(bad.url), "webhook 2": webhook(good.url) });
  hangs(`first ${SECRET}`);
  hangs("second", now + 1);
  await until("the good one is told", () => good.taken.length === 2);
  await until("the bad one was tried", () => said.length > 0);
  assert.ok(teller.isBusy());
  bad.answerWith(500, 503, 429, 408);
  await bad.open();
  await until("the bad one is told", () => bad.taken.length === 2);
  assert.deepEqual(bad.answers, [500, 503, 429, 408, 204, 204]);
  const texts = bad.taken.map(({ text }) => text);
  assert.match(texts[0] ?? "", /first \$KEY$/);
  assert.match(texts[1] ?? "", /second$/);
  assert.notEqual(bad.taken[0]?.id, bad.taken[1]?.id);
  assert.deepEqual(bad.taken, good.taken);
  assert.deepEqual(said, ["webhook 1 of notify could not be told (hang): ECONNREFUSED; tried again"], "told once, without a URL");
  await until("all is written down", () => marks() === 4);
});

test("one that never answers is left after a while and tried again", async (t) => {
  const { open, said } = rig(t);
  const server = await serveWebhooks(t);
  server.answerWith("hang");
  open({ "webhook 1": webhook(server.url, 50) }).hangs("x");
  await until("it is told", () => server.taken.length === 1);
  assert.deepEqual(server.answers, ["hung", 204]);
  assert.match(said.join("\n"), /no answer in 0\.05 s; tried again/);
});

test("what another try cannot change is given up and said: a wrong path, a redirect to elsewhere", async (t) => {
  for (const status of [404, 302, 400]) {
    const { open, said, marks } = rig(t);
    const server = await serveWebhooks(t);
    server.answerWith(status);
    const { hangs, teller } = open({ "webhook 1": webhook(server.url) });
    hangs("x");
    await until("it is given up", () => said.length === 1);
    assert.equal(said[0], `webhook 1 of notify could not be told (hang): HTTP ${status}; given up`);
    await until("nobody waits", () => !teller.isBusy());
    assert.deepEqual([server.answers, server.taken, marks()], [[status], [], 1]);
  }
});

test("started again: who was told is not told again, who was not is; what is a day old is no news", async (t) => {
  const { open, life, now } = rig(t);
  const server = await serveWebhooks(t);
  const first = open({ "webhook 1": webhook(server.url) });
  const told = first.hangs("told");
  await until("it is told", () => server.taken.length === 1);
  await server.shut();
  const untold = first.hangs("untold", now + 1);
  first.teller.close();
  await server.open();
  const second = open({ "webhook 1": webhook(server.url) }, [...life, told, untold]);
  await until("the rest is told", () => server.taken.length === 2);
  second.teller.finish();
  await until("it is done", second.isDone);
  assert.deepEqual(
    server.taken.map(({ text }) => text.split(": ")[1]),
    ["told", "untold"],
  );
  const late = open({ "webhook 1": webhook(server.url) }, [...life, told, untold, { ...untold, at: now - 2 * LIMITS.giveUpMs }]);
  late.teller.finish();
  await until("nothing is left to tell", late.isDone);
  assert.equal(server.taken.length, 2);
});

test("a command has the JSON on stdin; one that fails is run again, one that hangs is ended, one that is not there is given up", async (t) => {
  const { open, said, dir } = rig(t);
  const script = join(dir, "tell.sh");
  // It fails at first, hangs then (its pid is kept), and works at last.
  writeFileSync(
    script,
    `#!/bin/sh\ncd "${dir}"; echo x >> tries\ncase $(wc -l < tries) in\n1) echo "no network" >&2; exit 3;;\n2) sleep 1000 & echo $! > hung; wait;;\n*) cat >> got;;\nesac\n`,
  );
  chmodSync(script, 0o755);
  const { hangs, teller } = open({ command: command([script], dir, 1000), absent: command([join(dir, "absent")], dir) });
  hangs("x");
  await until("it is told", () => existsSync(join(dir, "got")) && !teller.isBusy());
  const { event, schema } = JSON.parse(readFileSync(join(dir, "got"), "utf8")) as { event: string; schema: number };
  assert.deepEqual([event, schema], ["hang", 1]);
  assert.ok(!isAlive(Number(readFileSync(join(dir, "hung"), "utf8"))), "what hung is ended");
  assert.deepEqual(said.toSorted(), [
    `absent of notify could not be told (hang): ${join(dir, "absent")}: ENOENT; given up`,
    "command of notify could not be told (hang): exit 3: no network; tried again",
  ]);
});
