/** A controller that is killed before somebody could be told tells it when it is started again, also of a run that is over; nobody hears anything twice. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WEBHOOKS } from "../../../../cluster/notify/spec.ts";
import type { RunSpec } from "../../../../cluster/spec.ts";
import { died, type Ground, holding, openGrounds, specOf, stateOf, until } from "../../../support/mortal.ts";
import { serveWebhooks } from "../../../support/webhook-server.ts";

/** One of the two ranks fails once; then both train until they are told to finish. */
const JOB = ["sh", "-c", "mkdir $HOME/once 2>/dev/null && exit 3; while [ ! -e $HOME/finish ]; do sleep 0.05; done"];
const TOKEN = "token-7c1d";

async function up(ground: Ground, spec: RunSpec, url: string): Promise<void> {
  const client = await ground.talk();
  const lent = { env: ground.env, agentSocket: null, acceptNewHostKeys: false };
  await client.ask({ ask: "up", spec, secrets: { "*": { KEY: "x" }, [WEBHOOKS]: { one: url } }, lent, by: "test" });
  client.close();
}

test("killed while the server hangs, and again while it is down after the end: each turn is told once", async (t) => {
  const [ground] = openGrounds(t, 1);
  assert.ok(ground !== undefined);
  const server = await serveWebhooks(t, `/hook/${TOKEN}`);
  const run = `notify_${ground.hosts[0]}`;
  const base = specOf(ground, run, JOB);
  const notify = { on: ["recovered", "ended"] as const, webhooks: 1, command: ["sh", "-c", "cat >> told"], isBell: false };
  const spec: RunSpec = { ...base, file: join(ground.dir, "c.yaml"), restart: { ...base.restart, max: 3, backoffMs: 0 }, notify };

  server.answerWith("hang", 500);
  const first = await ground.startController();
  await up(ground, spec, server.url);
  await until("it was told of the second attempt, and hangs", () => server.answers.includes("hung"));
  const marksPath = join(ground.stateDir, "runs", run, "notified.jsonl");
  const marks = (): string => (existsSync(marksPath) ? readFileSync(marksPath, "utf8") : "");
  await until("the command has told of it", () => marks().includes("/recovered/"));
  first.kill("SIGKILL");
  await died(first);
  const second = await ground.startController();
  await until("the next controller tells it", () => server.taken.length === 1);

  await server.shut();
  writeFileSync(join(ground.home, "finish"), "");
  await until("the run is over", () => stateOf(ground, run).endedAt !== null);
  await until("the command has told of it", () => marks().includes("/ended/"));
  second.kill("SIGKILL");
  await died(second);
  await server.open();
  await ground.startController();
  await until("the next controller tells the end", () => server.taken.length === 2);

  assert.deepEqual(
    server.taken.map(({ event, run: of, attempt, phase }) => [event, of, attempt, phase]),
    [
      ["recovered", run, 2, "running"],
      ["ended", run, 2, "succeeded"],
    ],
  );
  const byCommand = readFileSync(join(ground.dir, "told"), "utf8").trim().split("\n");
  assert.deepEqual(
    byCommand.map((line) => (JSON.parse(line) as { event: string }).event),
    ["recovered", "ended"],
  );
  await until("the URL is forgotten", () => holding(`/dev/shm/nexadist-${userInfo().uid}`, TOKEN).length === 0);
  assert.deepEqual(holding(ground.stateDir, TOKEN), [], "it is on no disk");
  assert.deepEqual(holding(ground.home, TOKEN), [], "and no host was given it");
});
