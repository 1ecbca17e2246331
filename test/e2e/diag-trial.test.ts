/** Trial all-reduces of `diag --full` as real runs: the right sum where all is well, and the host that cannot where one is broken. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSeat } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";

type Result = {
  readonly id: string;
  readonly status: string;
  readonly host: string | null;
  readonly observed: string;
  readonly fix: string;
  readonly evidence?: readonly string[];
};

/** Up to four runs, each of which imports torch on every host. */
const LIMIT_MS = 240_000;

test("trial all-reduces", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 3 });
  const seat = openSeat(t, lab);
  const file = (more = ""): string =>
    `cluster:\n${lab.hosts.map(({ name, address }) => `  - {host: ${name}, address: ${address}${name === "gpu-b" ? more : ""}}\n`).join("")}defaults: {gpus: 0, slots: 1, python: /opt/train}\n`;
  const tried = async (): Promise<readonly Result[]> => {
    const { out, err } = await seat.cli(["diag", "c.yaml", "--json", "--full", "--only", "dist.rdzv,dist.gloo,dist.nccl"], { limitMs: LIMIT_MS });
    assert.ok(out.startsWith("{"), out + err);
    return (JSON.parse(out) as { readonly results: readonly Result[] }).results.filter(({ id }) => id.startsWith("dist."));
  };

  await t.test("healthy: all ranks meet and sum, and nothing is said of NCCL where no GPU is used", async () => {
    seat.write("c.yaml", file());
    const results = await tried();
    assert.deepEqual(results.map(({ id, status }) => `${status} ${id}`).sort(), ["pass dist.gloo", "pass dist.rdzv"]);
    assert.match(
      results.find(({ id }) => id === "dist.gloo")?.observed ?? "",
      /^3 ranks on gpu-a, gpu-b, gpu-c \(gloo\): the right sum, 16\.8 MB in \d+\.\d ms$/,
    );
  });

  await t.test("ranks of one host are told an interface that is not there: that host, by its own words and against a third one", async () => {
    seat.write("c.yaml", file(", env: {GLOO_SOCKET_IFNAME: eth9}"));
    const results = await tried();
    const bad = results.filter(({ status }) => status !== "pass");
    assert.deepEqual(
      bad.map(({ id, status, host }) => `${status} ${id} ${host}`),
      ["fail dist.gloo gpu-b"],
      JSON.stringify(results),
    );
    assert.match(bad[0]?.observed ?? "", /gpu-b.*Unable to find address for: eth9/);
    assert.ok(
      bad[0]?.evidence?.some((line) => /^2 ranks on gpu-a, gpu-c \(gloo\): right$/.test(line)),
      JSON.stringify(bad[0]?.evidence),
    );
  });

  await t.test("nothing of a trial goes on", async () => {
    for (const host of lab.hosts) {
      const { exitCode } = await host.run(["sh", "-c", "ls /proc/*/environ | xargs grep -l NEXADIST_MARK= 2>/dev/null | grep -v self"]);
      assert.notEqual(exitCode, 0, host.name);
    }
  });
});
