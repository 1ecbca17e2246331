/** /metrics: what is told and what is not, under which names; on the loopback alone; and a real Prometheus that scrapes it, where there is one. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { replay } from "../../../../cluster/run/reduce.ts";
import { metricsOf, type RunView } from "../../../../cluster/telemetry/metrics.ts";
import { NOTHING, type Sample } from "../../../../cluster/telemetry/sample.ts";
import { serveMetrics } from "../../../../controller/daemon/telemetry/serve-metrics.ts";
import { lifeOf, SPEC } from "../../../support/fake-controller.ts";
import { makeTempDir } from "../../../support/fake-gpus.ts";

const UUID = "GPU-00000000-0000-0000-0000-000000000000";
const SAMPLE: Sample = {
  ...NOTHING,
  gpus: {
    [UUID]: {
      index: 0,
      name: 'H"100\\\n',
      driver: "590",
      use: 97,
      memoryUse: 40,
      memoryUsedMiB: 1024,
      memoryTotalMiB: 2048,
      temperatureC: 71,
      memoryTemperatureC: 80,
      powerW: 600,
      powerLimitW: 700,
      smMHz: 1980,
      memoryMHz: 2619,
      fanPercent: 30,
      reasons: 0x24,
      pcieGen: 5,
      pcieWidth: 16,
      pcieReplays: 1,
      eccCorrected: 2,
      eccUncorrected: 0,
      remapPending: 0,
      remapFailure: 0,
      remapUncorrectable: 0,
      recovery: "None",
      xids: { 79: 1 },
    },
    "GPU-2": { index: 1, down: "lost" },
  },
  processes: { [`${UUID}/4242`]: { gpu: UUID, pid: 4242, owner: "ours", run: SPEC.run } },
  host: {
    cpuUse: 50,
    load1: 3,
    memoryTotalBytes: 1000,
    memoryAvailableBytes: 400,
    swapTotalBytes: 10,
    swapUsedBytes: 3,
    cpuPressure: 5,
    memoryPressure: 1,
    ioPressure: 2,
    diskReadBytes: 7,
    diskWrittenBytes: 8,
  },
  nets: { eth0: { rxBytes: 11, txBytes: 12, rxErrors: 1, txErrors: 0, rxDropped: 0, txDropped: 0, speedMbps: 1000, isUp: 1 } },
  disks: { "/": { totalBytes: 100, freeBytes: 40 } },
};
const STATE = replay(lifeOf(SPEC, "succeeded").slice(0, -3));
const PACE = { rank: 0, step: 7, total: null, isInEpoch: false, epoch: null, loss: 0.5, isLossFinite: true, stepMs: 250, rate: null, leftMs: null, at: 1 };

function view(heardAt: number): RunView {
  const state = { ...STATE, spec: { ...STATE.spec, hosts: STATE.spec.hosts.map((host) => ({ ...host, pricePerHour: 2 })) } };
  const rank = { rank: 0, host: "gpu-a", pid: 4242, startedAt: 1, exit: null };
  const host = state.spec.hosts[0]?.name ?? "";
  return {
    state: { ...state, ranks: { 0: { ...rank, host } } },
    hosts: [{ host, at: heardAt, heardAt, sample: SAMPLE }],
    totals: { gpuHours: 2, energyKwh: 0.5, measuredShare: 1 },
    pace: PACE,
  };
}

test("base units, and the exporters' own under their names; what a lost GPU or an old sample would say is not told", () => {
  const now = 1_000_000;
  const metrics = new Map(metricsOf([view(now - 1000)], now).map((metric) => [metric.name, metric]));
  const told = (name: string, of: string): number | undefined => metrics.get(name)?.values.find(({ labels }) => Object.values(labels).includes(of))?.value;
  assert.equal(told("nexadist_gpu_utilization_ratio", UUID), 0.97);
  assert.equal(told("nexadist_gpu_memory_used_bytes", UUID), 2 ** 30);
  assert.equal(told("nexadist_gpu_sm_clock_hertz", UUID), 1.98e9);
  assert.equal(told("DCGM_FI_DEV_GPU_UTIL", UUID), 97);
  assert.equal(told("DCGM_FI_DEV_FB_FREE", UUID), 1024);
  assert.equal(told("node_network_speed_bytes", "eth0"), 125_000_000);
  assert.equal(told("nexadist_gpu_up", "GPU-2"), 0);
  assert.equal(told("nexadist_gpu_utilization_ratio", "GPU-2"), undefined, "of a lost GPU no number");
  assert.deepEqual(
    metrics
      .get("nexadist_gpu_throttle_active")
      ?.values.filter(({ value }) => value === 1)
      .map(({ labels }) => labels.reason),
    ["sw_power_cap", "sw_thermal"],
  );
  assert.equal(told("nexadist_rank_gpu", "0"), 1);
  const old = new Map(metricsOf([view(now - 60_000)], now).map((metric) => [metric.name, metric]));
  assert.ok(!old.has("nexadist_gpu_utilization_ratio") && !old.has("node_load1"), "no series stands still");
  assert.equal(old.get("nexadist_last_collect_timestamp_seconds")?.values[0]?.value, (now - 60_000) / 1000);
  for (const { name, type, help } of metrics.values()) {
    assert.match(name, /^[A-Za-z_:][\w:]*$/);
    assert.ok(help.length > 0, name);
    if (name.startsWith("nexadist_")) assert.equal(type === "counter", name.endsWith("_total"), name);
    for (const label of metrics.get(name)?.values.flatMap(({ labels }) => Object.keys(labels)) ?? []) assert.ok(label !== "pid", "a PID is no label");
  }
});

test("every metric that the dashboard names is told", () => {
  const all = new Set(metricsOf([view(Date.now())], Date.now()).map(({ name }) => name));
  const dashboard = readFileSync(fileURLToPath(new URL("../../../../docs/grafana-dashboard.json", import.meta.url)), "utf8");
  const exprs = [...dashboard.matchAll(/"(?:expr|query)": "((?:[^"\\]|\\.)*)"/g)].map(([, expr]) => expr ?? "");
  const named = [...new Set(exprs.flatMap((expr) => [...expr.matchAll(/\b(?:nexadist|node|DCGM)_\w+/g)].map(([name]) => name)))];
  assert.ok(named.length >= 12, named.join(" "));
  assert.deepEqual(
    named.filter((name) => !all.has(name)),
    [],
  );
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function served(t: TestContext): Promise<{ port: number; notices: string[] }> {
  const { state, hosts, totals } = view(Date.now());
  const driver = { state: () => state, pace: () => ({ pace: () => PACE }) };
  const telemetry = { now: () => hosts.map((host) => ({ ...host, heardAt: Date.now() })), totals: () => totals };
  const server = serveMetrics(new Map([["r", { driver, telemetry }]]) as never as Parameters<typeof serveMetrics>[0]);
  t.after(server.close);
  const port = await freePort();
  const notices: string[] = [];
  server.want(undefined, (text) => notices.push(text));
  server.want(port, (text) => notices.push(text));
  for (const deadline = Date.now() + 10_000; ; await delay(20)) {
    if (
      await fetch(`http://127.0.0.1:${port}/metrics`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return { port, notices };
    if (Date.now() > deadline) throw new Error(`nothing at port ${port}: ${notices}`);
  }
}

test("on the loopback alone, /metrics alone, and not for a page that gave this machine a name of its own", async (t) => {
  const { port } = await served(t);
  const get = (path: string, host = `127.0.0.1:${port}`): Promise<string> =>
    execa("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", `Host: ${host}`, `http://127.0.0.1:${port}${path}`]).then(({ stdout }) => stdout);
  assert.equal(await get("/metrics"), "200");
  assert.equal(await get("/"), "404");
  assert.equal(await get("/metrics", "evil.example"), "404");
  const others = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal);
  for (const { address } of others) await assert.rejects(fetch(`http://${address}:${port}/metrics`), address);
  const second = serveMetrics(new Map());
  t.after(second.close);
  const said = await new Promise<string>((resolve) => second.want(port, resolve));
  assert.match(said, /another program has port/);
});

const PROMETHEUS = (process.env.PATH ?? "")
  .split(":")
  .map((dir) => join(dir, "prometheus"))
  .find(existsSync);

test("a real Prometheus scrapes it, and finds what was told", { skip: PROMETHEUS === undefined && "no prometheus on the PATH" }, async (t) => {
  const { port } = await served(t);
  const dir = await makeTempDir(t);
  writeFileSync(
    join(dir, "prometheus.yml"),
    `global: {scrape_interval: 1s}\nscrape_configs: [{job_name: nexadist, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]\n`,
  );
  const own = await freePort();
  const child = spawn(PROMETHEUS ?? "", [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${own}`], {
    stdio: "ignore",
  });
  t.after(async () => {
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
  });
  const ask = async (query: string): Promise<readonly { metric: Record<string, string>; value: [number, string] }[]> => {
    const answer = await fetch(`http://127.0.0.1:${own}/api/v1/query?query=${encodeURIComponent(query)}`).catch(() => null);
    return answer?.ok ? ((await answer.json()) as { data: { result: [] } }).data.result : [];
  };
  for (const deadline = Date.now() + 60_000; (await ask("nexadist_gpu_utilization_ratio")).length === 0; await delay(200)) {
    if (Date.now() > deadline) throw new Error("it scraped nothing");
  }
  assert.equal((await ask("up"))[0]?.value[1], "1");
  const [gpu] = await ask("nexadist_gpu_utilization_ratio * on(uuid) group_left(name) nexadist_gpu_info");
  assert.equal(gpu?.value[1], "0.97");
  assert.equal(gpu?.metric.name, 'H"100\\\n', "an odd name comes through whole");
  assert.equal((await ask("sum(DCGM_FI_DEV_POWER_USAGE)"))[0]?.value[1], "600");
  const dropped = await ask("scrape_samples_scraped - scrape_samples_post_metric_relabeling");
  assert.equal(dropped[0]?.value[1], "0");
});
