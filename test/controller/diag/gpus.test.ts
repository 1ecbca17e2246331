/** GPUs at fault, seen by the real probe through a real process: each fault is named, on its GPU, and no other is. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Result } from "../../../cluster/diag/check.ts";
import { readListing } from "../../../cluster/nvidia/listing.ts";
import type { FakeGpus } from "../../support/fake-gpus.ts";
import { gpuHost, judgeGpus, lookAtGpus } from "../../support/gpu-probe.ts";
import { diagContext, json, withSection } from "../../support/probes.ts";

/** In the environment of all that these tests start. */
const MARK = `NEXADIST_TEST_MARK=${process.pid}-${Date.now()}`;
process.env.NEXADIST_TEST_MARK = MARK.split("=")[1];

/** "fail gpu.temp 3": what is no pass and no skip, with the GPU that it speaks of. */
const findings = (results: readonly Result[]): readonly string[] =>
  results
    .filter(({ status }) => status !== "pass" && status !== "skip")
    .map(({ status, id, gpu }) => `${status} ${id}${gpu === undefined ? "" : ` ${Number.parseInt(gpu.slice(-4), 16)}`}`)
    .sort();
const said = (results: readonly Result[], id: string): string =>
  results
    .filter((result) => result.id === id)
    .map(({ observed }) => observed)
    .join("\n");

/** PIDs of fakes that were started from here. */
function leftover(): readonly string[] {
  const holds = (path: string, word: string): boolean => {
    try {
      return readFileSync(path, "utf8").includes(word);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && holds(`/proc/${pid}/cmdline`, "nvidia-smi") && holds(`/proc/${pid}/environ`, MARK));
}

async function look(t: Parameters<typeof lookAtGpus>[0], gpus: FakeGpus | null, count: number, tier: "quick" | "full" = "full"): Promise<readonly Result[]> {
  const host = gpuHost("gpu-a", { kind: "count", count });
  return judgeGpus([{ host, probe: await lookAtGpus(t, host, gpus, tier) }]);
}

test("eight GPUs that are well have no finding, and what was not looked at is not green", async (t) => {
  const results = await look(t, { gpus: Array.from({ length: 8 }, () => ({})) }, 8);
  assert.deepEqual(findings(results), []);
  assert.equal(said(results, "gpu.ecc_volatile"), "8 GPUs: 0 uncorrectable");
  for (const id of ["torch.cuda", "gpu.clocks", "gpu.retired"]) assert.equal(results.find((result) => result.id === id)?.status, "skip", id);
});

test("one fault on each of eight GPUs: each check names its GPU", async (t) => {
  const results = await look(
    t,
    {
      gpus: [
        {},
        { "ecc.errors.uncorrected.volatile.total": "3", "ecc.errors.uncorrected.aggregate.total": "7" },
        { "remapped_rows.pending": "Yes" },
        { "clocks_event_reasons.active": "0x0000000000000048", "temperature.gpu": "91" },
        { gpu_recovery_action: "Drain and Reset" },
        { state: "reset" },
        { state: "lost" },
        { persistence_mode: "Disabled", compute_mode: "Prohibited", "enforced.power.limit": "300.00 W" },
      ],
    },
    8,
  );
  assert.deepEqual(findings(results), [
    "fail gpu.compute_mode 7",
    "fail gpu.count 6",
    "fail gpu.ecc_aggregate 1",
    "fail gpu.ecc_volatile 1",
    "fail gpu.power_limit 7",
    "fail gpu.recovery_action 4",
    "fail gpu.recovery_action 5",
    "fail gpu.remap 2",
    "fail gpu.temp 3",
    "fail gpu.throttle 3",
    "warn gpu.persistence 7",
  ]);
  assert.match(said(results, "gpu.count"), /^GPU 6 is lost$/);
  assert.match(said(results, "gpu.recovery_action"), /GPU 5 requires a reset/);
  assert.match(said(results, "gpu.throttle"), /GPU 3: slowed by the hardware, too hot for the hardware/);
  assert.match(said(results, "gpu.temp"), /GPU 5: it requires a reset/, "0 MiB and 41 °C of a GPU that needs a reset are not believed");
});

test("links, memory that nobody holds, processes with their owners, clocks under load", async (t) => {
  const worker = spawn("sleep", ["1000"], { env: { ...process.env, NEXADIST_RUN: "llama_1" } });
  t.after(() => worker.kill());
  const results = await look(
    t,
    {
      gpus: [
        { dead_links: 2 },
        { nvlink_errors: 4 },
        { replays: 5000 },
        { "pcie.link.width.current": "8", "utilization.gpu": "99 %", "clocks.current.sm": "1980 MHz" },
        { "utilization.gpu": "100 %", "clocks.current.sm": "900 MHz", "clocks_event_reasons.active": "0x0000000000000000" },
        { "memory.used": "9000 MiB" },
        {},
        {},
      ],
      apps: [
        { gpu: 6, pid: worker.pid ?? 0, process_name: "python, train.py", used_gpu_memory: 700, while_alive: true },
        { gpu: 7, pid: 2 ** 22 - 1, process_name: "/usr/bin/blender", used_gpu_memory: 300 },
      ],
    },
    8,
  );
  assert.deepEqual(findings(results), [
    "fail gpu.busy",
    "fail gpu.clocks 4",
    "fail gpu.leaked_mem 5",
    "fail gpu.nvlink 0",
    "fail gpu.nvlink_err 1",
    "fail gpu.pcie 3",
    "warn gpu.pcie_replay",
  ]);
  assert.match(said(results, "gpu.busy"), /^6 of 8 free; GPU 6: run llama_1 of \S+; GPU 7: blender/);
  assert.match(said(results, "gpu.busy"), /blender \(pid 4194303, of a user that is not shown there, 300 MiB\)$/);
});

test("GPUs that are busy only warn where enough others are free", async (t) => {
  const apps = [{ gpu: 0, pid: 2 ** 22 - 1, process_name: "blender", used_gpu_memory: 300 }];
  const results = await look(t, { gpus: [{}, {}], apps }, 1, "quick");
  assert.deepEqual(findings(results), ["warn gpu.busy"]);
});

test("an old driver with other names is asked by those; what it does not know is skipped", async (t) => {
  const refuse = ["gpu_recovery_action", "remapped_rows.pending", "temperature.gpu.tlimit"];
  const results = await look(t, { gpus: [{ "clocks_event_reasons.active": "0x0000000000000080" }], old_names: true, refuse }, 1, "quick");
  assert.deepEqual(findings(results), ["fail gpu.throttle 0"]);
  assert.equal(said(results, "gpu.recovery_action"), "GPU 0: this driver does not tell which recovery a GPU needs");
  const geforce = await look(t, { profile: "rtx2080s", gpus: [{}] }, 1, "quick");
  assert.deepEqual(findings(geforce), ["warn gpu.persistence 0"]);
  assert.match(said(geforce, "gpu.ecc_volatile"), /this GPU does not tell/);
});

const DRIVER: readonly (readonly [FakeGpus | null, RegExp, RegExp])[] = [
  [null, /there is no nvidia-smi/, /apt install nvidia-driver/],
  [{ mode: "driver-error", gpus: [{}] }, /couldn't communicate/, /modprobe nvidia/],
  [{ mode: "mismatch", gpus: [{}] }, /version mismatch/, /reboot/],
  [{ mode: "container", gpus: [{}] }, /Unknown Error/, /restart the container/],
  [{ mode: "no-devices", gpus: [] }, /No devices were found/, /lspci/],
  [{ mode: "empty", gpus: [{}] }, /lists nothing/, /^/],
  [{ mode: "cut", gpus: [{}, {}] }, /nvidia-smi/, /^/],
];

for (const [gpus, observed, fix] of DRIVER) {
  test(`no answer to be believed: ${gpus?.mode ?? "no nvidia-smi"}`, async (t) => {
    const results = await look(t, gpus, 2, "quick");
    if (gpus?.mode === "cut") {
      const cut = results.filter(({ id }) => !/^gpu\.(driver|xid|fallen|nvlink|topo|busy)$|^torch/.test(id));
      assert.deepEqual(cut.filter(({ status }) => status === "pass"), []); // biome-ignore format: one line
      return;
    }
    const [driver] = results.filter(({ id }) => id === "gpu.driver");
    assert.ok(driver?.status === "fail" || driver?.status === "error", JSON.stringify(driver));
    assert.match(driver.observed, observed);
    assert.match(driver.words?.fix ?? "", fix);
    const green = results.filter(({ status, id }) => status === "pass" && !/^gpu\.(xid|fallen)$/.test(id));
    assert.deepEqual(green, []);
    assert.equal(findings(results).length, 1, "one red line, not thirty");
  });
}

test("a driver that hangs is one finding, and its processes do not stay", async (t) => {
  const host = gpuHost("gpu-a", { kind: "auto" });
  const probe = await lookAtGpus(t, host, { mode: "hang-hard", gpus: [{}] }, "quick");
  const results = judgeGpus([{ host, probe }]);
  assert.deepEqual(findings(results), ["fail gpu.driver"]);
  assert.match(said(results, "gpu.driver"), /no answer within 10 s: the driver hangs/);
  for (const deadline = Date.now() + 5000; leftover().length > 0; await delay(20)) assert.ok(Date.now() < deadline, `left: ${leftover()}`);
});

test("a driver that takes its time is told", async (t) => {
  const results = await look(t, { gpus: [{}], delay_ms: 3200 }, 1, "quick");
  assert.deepEqual(findings(results), ["warn gpu.smi_latency"]);
});

test("a host without GPUs of which none is asked has nothing to say", async (t) => {
  const host = gpuHost("gpu-a", { kind: "auto" });
  const results = judgeGpus([{ host, probe: await lookAtGpus(t, host, null, "quick") }]);
  assert.deepEqual(findings(results), []);
  assert.equal(said(results, "gpu.driver"), "no NVIDIA GPU there");
});

test("hosts beside each other: the minority is named", async (t) => {
  const gpus = (more: object = {}): FakeGpus => ({ gpus: [{ ...more }] });
  const looks = await Promise.all(
    (
      [
        ["gpu-a", gpus()],
        ["gpu-b", gpus({ driver_version: "580.65.06", "enforced.power.limit": "650.00 W" })],
        ["gpu-c", gpus({ name: "NVIDIA H200", "memory.total": "143771 MiB" })],
        ["gpu-d", gpus({ driver_version: "590.44.01" })],
        ["gpu-e", gpus()],
      ] as const
    ).map(async ([name, fake]) => {
      const host = gpuHost(name, { kind: "count", count: 1 });
      return { host, probe: await lookAtGpus(t, host, fake, "quick") };
    }),
  );
  const told = judgeGpus(looks)
    .filter(({ status }) => status !== "pass" && status !== "skip")
    .map(({ status, id, host }) => `${status} ${id} ${host}`)
    .sort();
  assert.deepEqual(told, ["fail ver.driver gpu-b", "warn gpu.model gpu-c", "warn gpu.power_limit gpu-b", "warn ver.driver gpu-d"]);
});

test("GPUs that runs have or wait for keep READY away, as they keep `up`; the run that asks does not stand in its own way", async (t) => {
  const probe = await lookAtGpus(t, gpuHost("gpu-a", { kind: "auto" }), { gpus: [{}, {}] }, "quick");
  const [a = "", b = ""] = readListing(probe.sections.smi_list?.out ?? "").gpus.map(({ uuid }) => uuid);
  const card = { run: "train_1", name: "llama", user: "ann", by: "ann (pid 3)", gpus: [a], isWaiting: false };
  const busy = (cards: readonly object[], ids: readonly string[] | "auto", locked: object = {}): string => {
    const host = gpuHost("gpu-a", ids === "auto" ? { kind: "auto" } : { kind: "list", ids });
    const results = judgeGpus([{ host, probe: withSection(probe, "gpu_claims", json({ cards, locked })) }]);
    const result = results.find(({ id }) => id === "gpu.busy");
    return `${result?.status} ${result?.observed}`;
  };
  assert.match(busy([card], [a, b]), /^fail 1 of 2 free; GPU 0: run train_1 \(llama\) of ann$/);
  assert.match(busy([card], [b]), /^pass/);
  assert.match(busy([card], "auto"), /^warn /);
  assert.match(busy([{ ...card, run: diagContext().spec.run }], [a, b]), /^pass/, "it is its own");
  assert.match(busy([{ ...card, gpus: [], isWaiting: true }], [a, b]), /^fail 2 of 2 free; run train_1 \(llama\) of ann waits/);
  assert.match(busy([], [a, b], { [b]: { pid: 7, user: "bob" } }), /^fail .*GPU 1: pid 7 of bob holds its lock/);
});
