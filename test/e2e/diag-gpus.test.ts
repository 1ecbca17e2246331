/** `diag` of GPUs over SSH, before and while a run is alive: what the far nvidia-smi says is changed under it, and exactly that is found. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openSeat, until } from "../support/controller.ts";
import { type FakeGpu, type FakeGpus, writeControl } from "../support/fake-gpus.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";

type Found = { readonly id: string; readonly status: string; readonly host: string; readonly observed: string };

/** GPUs keep their UUIDs: no two of a cluster have one. */
const uuids = new Map<string, readonly string[]>();

async function set(lab: Lab, name: string, faults: readonly FakeGpu[], more: Omit<FakeGpus, "gpus"> = {}): Promise<void> {
  const dir = join(lab.host(name).disk, "etc");
  const old = JSON.parse(readFileSync(join(dir, "fake-nvidia-smi.json"), "utf8")) as { readonly gpus: readonly { readonly uuid: string }[] };
  const known = uuids.get(name) ?? old.gpus.map(({ uuid }) => uuid);
  uuids.set(name, known);
  await writeControl(dir, { gpus: known.map((uuid, index) => ({ uuid, ...faults[index] })), ...more });
}

test("GPUs of two hosts, well and not", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 4 });
  const seat = openSeat(t, lab);
  const entries = ["gpu-a", "gpu-b"].map((name) => `  - {host: ${name}, address: ${lab.host(name).address}, gpus: 4, python: /opt/train}\n`).join("");
  seat.write("c.yaml", `cluster:\n${entries}backend: command\njob: {command: [sh, -c, "echo up; exec sleep 900"]}\n`);
  const look = async (...words: string[]): Promise<{ readonly isReady: boolean; readonly bad: readonly string[]; readonly results: readonly Found[] }> => {
    const { out, err } = await seat.cli(["diag", "c.yaml", "--json", "--only", "gpu", ...words]);
    assert.ok(out.startsWith("{"), out + err);
    const { isReady, results } = JSON.parse(out) as { readonly isReady: boolean; readonly results: readonly Found[] };
    const bad = results.filter(({ id, status }) => id.startsWith("gpu.") && (status === "warn" || status === "fail" || status === "error"));
    return { isReady, results, bad: bad.map(({ id, host, observed }) => `${host} ${id}: ${observed}`).sort() };
  };

  await t.test("well", async () => {
    const found = await look("--full");
    assert.deepEqual([found.bad, found.isReady], [[], true]);
    assert.equal(found.results.find(({ id }) => id === "gpu.burn")?.status, "skip", "no work is given to GPUs that no driver has");
  });

  await t.test("each fault is found where it is", async () => {
    await set(lab, "gpu-a", [{}, { "ecc.errors.uncorrected.volatile.total": "2" }, { "clocks_event_reasons.active": "0x0000000000000080" }]);
    await set(lab, "gpu-b", [{ state: "lost" }], { apps: [{ gpu: 3, pid: 1, process_name: "blender", used_gpu_memory: 900 }] });
    const found = await look();
    assert.equal(found.isReady, false);
    assert.deepEqual(found.bad.map((line) => line.replace(/\(pid.*/, "…")), [
      "gpu-a gpu.ecc_volatile: GPU 1: 2 uncorrectable ECC errors",
      "gpu-a gpu.throttle: GPU 2: the power supply brakes it",
      "gpu-b gpu.busy: 3 of 4 free; GPU 3: init …",
      "gpu-b gpu.count: GPU 0 is lost",
    ]); // biome-ignore format: a list
  });

  await t.test("the same while a run is alive, which goes on; a driver that hangs is one line", async () => {
    await set(lab, "gpu-a", []);
    await set(lab, "gpu-b", []);
    const run = await seat.up(["c.yaml"]);
    await until("both ranks", () => ["gpu-a", "gpu-b"].every((host, at) => seat.log(run, host, `rank${at}.out`).includes("up")));
    await set(lab, "gpu-b", [], { mode: "hang-hard" });
    await set(lab, "gpu-a", [{ "remapped_rows.pending": "Yes" }]);
    const found = await look();
    assert.deepEqual(found.bad, [
      `gpu-a gpu.busy: 0 of 4 free; GPU 0, 1, 2, 3: run ${run} (c) of root`,
      "gpu-a gpu.remap: GPU 0: a bad row waits to be replaced",
      "gpu-b gpu.driver: nvidia-smi gave no answer within 10 s: the driver hangs",
    ]);
    assert.match((await seat.cli(["ps"])).out, new RegExp(`${run}.*running`));
    // Telemetry asks as well, but never these.
    const left = await lab.host("gpu-b").run(["sh", "-c", "pgrep -fc '[f]ake-nvidia-smi (topo|nvlink)' || true"]);
    assert.equal(left.stdout.trim(), "0", "what hung was ended with the look");
  });
});
