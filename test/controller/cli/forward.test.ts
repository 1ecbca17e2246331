/** `forward` against a real sshd with each driver: a program on the far loopback is answered here, also after the link broke; nothing of it is left. */

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { replay } from "../../../cluster/run/reduce.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import { nexadist, type Place, place, start } from "../../support/cli.ts";
import { fakeController, lifeOf, ROW, SPEC } from "../../support/fake-controller.ts";
import { DRIVERS } from "../../support/reach.ts";
import { freePort, SSHD, type Sshd, startSshd } from "../../support/sshd.ts";

type Stage = { readonly at: Place; readonly env: Record<string, string>; readonly sshd: Sshd; readonly web: number };

/** Rank 1 runs where sshd listens. */
async function stage(t: TestContext, settings: readonly string[] = []): Promise<Stage> {
  const sshd = await startSshd({ settings });
  t.after(() => sshd.stop());
  const hosts = SPEC.hosts.map((host, k) => (k === 1 ? { ...host, sshHost: "127.0.0.1", port: sshd.port } : host));
  const spec: RunSpec = { ...SPEC, hosts };
  const state = replay(lifeOf(spec, "running"));
  const fake = await fakeController(t, ({ request, end }) => (request.ask === "runs" ? end([ROW]) : end({ state, events: 1, dir: "/d" })));
  const web: Server = createServer((request, response) => void response.end(`board of ${request.url}`)).listen(0, "localhost");
  await new Promise((resolve) => web.once("listening", resolve));
  t.after(() => new Promise((resolve) => web.close(resolve)));
  const env = { NEXADIST_STATE_DIR: fake.stateDir, NEXADIST_SSH_CONFIG: sshd.config };
  return { at: place(t), env, sshd, web: (web.address() as AddressInfo).port };
}

const read = async (port: number, path: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${path}`)).text();

for (const driver of DRIVERS) {
  test(`${driver}: a browser's many connections, a link that breaks, Ctrl-C`, { skip: SSHD === undefined && "no sshd" }, async (t) => {
    const { at, env, sshd, web } = await stage(t);
    const here = await freePort();
    const running = start(t, at, ["forward", "latest", `${here}:${web}`, "--rank", "1"], { ...env, NEXADIST_SSH: driver });
    await running.says(new RegExp(`http://127\\.0\\.0\\.1:${here}/[\\s\\S]*port ${web} of gpu-b, where rank 1 runs`));
    const paths = Array.from({ length: 20 }, (_, k) => `/${k}`);
    assert.deepEqual(
      await Promise.all(paths.map((path) => read(here, path))),
      paths.map((path) => `board of ${path}`),
    );
    sshd.killSessions();
    await running.says(/connection to gpu-b is gone[\s\S]*gpu-b is reached again/);
    assert.equal(await read(here, "/again"), "board of /again");
    running.child.kill("SIGINT");
    assert.equal((await running.done).code, 0);
    await assert.rejects(read(here, "/late"), "the port is closed");
  });
}

test("nothing listens there, sshd forwards nothing: it is said, and it goes on", { skip: SSHD === undefined && "no sshd" }, async (t) => {
  const { at, env, web } = await stage(t, ["AllowTcpForwarding no"]);
  const running = start(t, at, ["forward", "latest", `0:${web}`, "--host", "gpu-b", "--json"], env);
  await running.says(/"url"/);
  running.child.kill("SIGINT");
  const { code, out } = await running.done;
  const told = JSON.parse(out) as { readonly schema: number; readonly here: number; readonly host: string };
  assert.deepEqual([code, told.schema, told.host, told.here > 0], [0, 1, "gpu-b", true]);
  const again = start(t, at, ["forward", "latest", `${told.here}:${web}`, "--rank", "1"], env);
  await again.says(/is port/);
  await assert.rejects(read(told.here, "/"));
  await again.says(/port \d+ cannot be reached there: /);
  again.child.kill("SIGINT");
  assert.equal((await again.done).code, 0);
});

test("a port that is taken here, one that is none, a rank that there is not", { skip: SSHD === undefined && "no sshd" }, async (t) => {
  const { at, env, web } = await stage(t);
  const refused = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await nexadist(t, at, ["forward", "latest", ...args], env);
    assert.deepEqual([code, out], [2, ""], args.join(" "));
    return err;
  };
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as AddressInfo;
  assert.match(await refused(`${port}:${web}`, "--rank", "1"), /port \d+ is taken on this machine[\s\S]*nexadist forward latest \d+:/);
  await new Promise((resolve) => taken.close(resolve));
  assert.match(await refused("http"), /is no port/);
  assert.match(await refused("70000"), /is no port/);
  assert.match(await refused("6006", "--rank", "7"), /no rank 7[\s\S]*0 to 1/);
  assert.match(await refused("6006", "--host", "gpu-z"), /no host gpu-z[\s\S]*gpu-a, gpu-b/);
});
