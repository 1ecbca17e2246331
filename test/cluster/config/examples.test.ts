/** Every example in configs/ resolves; the editors' schema is that of the code. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { keysAt, keyTable } from "../../../cluster/config/keys.ts";
import { formatProblem } from "../../../cluster/config/problem.ts";
import { resolveRun } from "../../../cluster/config/resolve.ts";
import { clusterJsonSchema } from "../../../cluster/config/schema.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const HEADER = "# yaml-language-server: $schema=../cluster.schema.json\n";

const examples = ["dist", "acc"].flatMap((dir) =>
  readdirSync(`${root}configs/${dir}`)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => `configs/${dir}/${name}`),
);
const clusterFiles = examples.filter((name) => readFileSync(root + name, "utf8").startsWith(HEADER));

const resolveExample = (name: string) =>
  resolveRun(
    { path: root + name, name, text: readFileSync(root + name, "utf8") },
    {
      runFor: (run) => run,
      argv: [],
      set: [],
      hosts: [],
      exclude: [],
      noSync: false,
      environment: { HF_TOKEN: "t" },
      userFile: null,
      cwd: root.replace(/\/$/, ""),
      home: "/nonexistent",
      files: {
        read: (path) => ({ ok: true, text: readFileSync(path, "utf8") }),
        isFile: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true,
        isExecutable: (path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o111) !== 0,
      },
    },
  );

test("the examples are there; those without the editors' header are what another names", () => {
  for (const name of [
    "configs/dist/8gpu.yaml",
    "configs/dist/local.yaml",
    "configs/dist/direct.yaml",
    "configs/dist/command.yaml",
    "configs/dist/recovery.yaml",
    "configs/acc/fsdp_4gpu.yaml",
    "configs/acc/ddp_cpu.yaml",
  ]) {
    assert.ok(clusterFiles.includes(name), name);
  }
  const all = clusterFiles.map((name) => readFileSync(root + name, "utf8")).join("");
  for (const name of examples)
    if (!clusterFiles.includes(name)) assert.ok(all.includes(`accelerate_config: ${name.split("/").at(-1)}`), `${name} is used by no example`);
});

for (const name of clusterFiles) {
  test(`${name} resolves`, () => {
    const result = resolveExample(name);
    assert.ok(result.ok, result.ok ? "" : result.problems.map(formatProblem).join("\n"));
  });
}

test("the user's file keeps its keys and values", () => {
  const result = resolveExample("configs/dist/8gpu.yaml");
  assert.ok(result.ok);
  const { backend, rdzv, cluster } = result.effective.config;
  assert.deepEqual(
    { cluster, backend, rdzv },
    {
      cluster: [
        { host: "100.66.164.18", gpus: 4 },
        { host: "100.66.164.19", gpus: 4 },
      ],
      backend: "torch.distributed",
      rdzv: "100.66.164.18:29500",
    },
  );
});

test("the FSDP example is a configuration that accelerate itself would read", () => {
  const result = resolveExample("configs/acc/fsdp_4gpu.yaml");
  assert.ok(result.ok);
  assert.equal(result.spec.accelerateConfig?.["distributed_type"], "FSDP");
});

test("configs/cluster.schema.json is current (node scripts/gen-schema.ts makes it)", () => {
  assert.deepEqual(JSON.parse(readFileSync(`${root}configs/cluster.schema.json`, "utf8")), JSON.parse(JSON.stringify(clusterJsonSchema())));
});

test("every key has words for the table, and typos are looked up where they are", () => {
  for (const { key, what } of keyTable()) assert.ok(what.length > 5, key);
  assert.ok(keysAt(["cluster", 0]).includes("gpus"));
  assert.deepEqual(keysAt(["timeouts"]), ["connect", "start", "stop_grace", "run", "suspect", "lost", "hang", "first_step"]);
});
