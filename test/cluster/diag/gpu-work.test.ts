/** Judges of work that was given to GPUs, and of dcgmi in both its shapes: slow, wrong, hanging, and what did not come that far. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Section } from "../../../cluster/diag/check.ts";
import { GPU_WORK } from "../../../cluster/diag/checks/gpu-work.ts";
import { judgeHosts } from "../../../cluster/diag/judge.ts";
import { readDcgm } from "../../../cluster/nvidia/dcgm.ts";
import { diagContext, healthyProbe, hostSpec, json, section, withSection } from "../../support/probes.ts";

const GPUS = [0, 1, 2, 3];
const rows = `index, uuid, pcie.link.gen.max, pcie.link.width.max\n${GPUS.map((index) => `${index}, GPU-${index}, 5, 16\n`).join("")}`;
type Line = Readonly<Record<string, unknown>>;
const lines = (more: readonly Line[] = []): readonly Line[] => [
  ...GPUS.map((index) => ({ kind: "gpu", index, name: "H100", uuid: `GPU-${index}` })),
  ...GPUS.map((index) => ({ kind: "copy", index, up: 52, down: 50, isEqual: true })),
  ...GPUS.map((index) => ({ kind: "product", index, name: "H100", teraflops: 700 + index, wrong: 0, sum: 77 })),
  { kind: "peer-begins", at: 0, to: 1 },
  { kind: "peer", at: 0, to: 1, isEqual: true },
  ...more,
  { kind: "end" },
];
const text = (all: readonly Line[]): string => all.map((line) => `@${JSON.stringify(line)}\n`).join("");

function say(work: Section, id: string): readonly string[] {
  const probe = withSection(withSection(healthyProbe("gpu-a"), "smi_gpus", json({ code: 0, out: rows, err: "", ms: 9 })), "gpu_work", work);
  return judgeHosts(
    GPU_WORK.map((check) => ({ ...check, needs: [] })),
    [{ host: hostSpec("gpu-a"), probe }],
    diagContext(),
  )
    .filter((result) => result.id === id)
    .map(({ status, observed }) => `${status} ${observed}`);
}

test("work that went well", () => {
  const work = section(text(lines()));
  assert.deepEqual(say(work, "gpu.h2d"), ["pass 4 GPUs: 50.0 GB/s or more"]);
  assert.deepEqual(say(work, "gpu.burn"), ["pass 4 GPUs: 700, 701, 702, 703 TFLOP/s, equal results"]);
  assert.deepEqual(say(work, "gpu.p2p_copy"), ["pass 1 ways"]);
});

test("a slow GPU, a wrong one, one that is wrong at times, a copy that arrives wrong or never ends", () => {
  const change = (kind: string, index: number, more: Line): Section =>
    section(text(lines().map((line) => (line["kind"] === kind && line["index"] === index ? { ...line, ...more } : line))));
  assert.deepEqual(say(change("copy", 2, { up: 6 }), "gpu.h2d"), ["fail GPU 2: 6.0 GB/s to it, 50.0 GB/s from it"]);
  assert.deepEqual(say(change("copy", 2, { isEqual: false }), "gpu.h2d"), ["fail GPU 2: what came back is not what was sent"]);
  assert.deepEqual(say(change("product", 1, { teraflops: 500 }), "gpu.burn"), ["fail GPU 1: 500 TFLOP/s, 29 % below the others of its kind"]);
  assert.deepEqual(say(change("product", 1, { sum: 78 }), "gpu.burn"), ["fail GPU 1: its product differs from that of the 3 others of its kind"]);
  assert.deepEqual(say(change("product", 3, { wrong: 2 }), "gpu.burn"), ["fail GPU 3: the same product came out differently 2 times"]);
  assert.deepEqual(say(section(text(lines([{ kind: "peer", at: 2, to: 3, isEqual: false }]))), "gpu.p2p_copy"), [
    "fail what GPU 2 sent to GPU 3 arrived wrong",
  ]);
  const hangs: Section = {
    code: null,
    out: text([...lines().slice(0, -1), { kind: "peer-begins", at: 1, to: 3 }]),
    err: "",
    ms: 55_000,
    why: "no answer within 55 s",
  };
  assert.deepEqual(say(hangs, "gpu.p2p_copy"), ["fail a copy from GPU 1 to GPU 3 does not end"]);
  assert.deepEqual(say(hangs, "gpu.h2d"), ["pass 4 GPUs: 50.0 GB/s or more"], "what was done before is known");
});

test("GPUs in use are left alone; what was cut, refused or not done is not green", () => {
  assert.deepEqual(say(section("", { code: 1, err: "PermissionError: GPUs there are in use: no work is given to them" }), "gpu.burn"), [
    "skip GPUs there are in use: no work is given to them",
  ]);
  const whole = text(lines());
  fc.assert(
    fc.property(
      fc.oneof(
        fc.integer({ min: 0, max: whole.length - 9 }).map((end) => whole.slice(0, end)),
        fc.string(),
      ),
      (out) => {
        const work: Section = { code: 1, out, err: "RuntimeError: x", ms: 1 };
        const isDone = (kind: string): boolean =>
          out.split(`"kind":"${kind}"`).length > 4 && GPUS.every((index) => out.includes(`@{"kind":"${kind}","index":${index}`));
        assert.ok(!say(work, "gpu.p2p_copy").some((line) => line.startsWith("pass")));
        for (const [id, kind] of [
          ["gpu.h2d", "copy"],
          ["gpu.burn", "product"],
        ] as const) {
          // biome-ignore format: pairs
          if (!isDone(kind)) assert.ok(!say(work, id).some((line) => line.startsWith("pass")), `${id} on ${out}`);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("dcgmi of version 3 and of version 4; exit codes do not matter, unknown words do", () => {
  const three = {
    "DCGM GPU Diagnostic": {
      test_categories: [
        {
          category: "Hardware",
          tests: [
            {
              name: "PCIe",
              results: [
                { gpu_ids: "0,1", status: "PASS" },
                { gpu_id: "2", status: "FAIL", warnings: "Drain the GPU." },
              ],
            },
          ],
        },
      ],
    },
  };
  const four = {
    "DCGM Diagnostic": {
      test_categories: [
        {
          category: "Deployment",
          tests: [
            {
              name: "software",
              results: [{ entity_group: "GPU", entity_id: 3, status: "warn", warnings: [{ error_id: 7, warning: "Persistence mode is off." }] }],
              test_summary: { status: "Pass" },
            },
          ],
        },
      ],
    },
  };
  assert.deepEqual(readDcgm(JSON.stringify(three)), [
    { name: "PCIe", status: "pass", gpus: ["0", "1"], warnings: [] },
    { name: "PCIe", status: "fail", gpus: ["2"], warnings: ["Drain the GPU."] },
  ]);
  assert.deepEqual(readDcgm(`Warning: x\n${JSON.stringify(four)}`), [
    { name: "software", status: "warn", gpus: ["3"], warnings: ["Persistence mode is off."] },
  ]);
  assert.deepEqual(readDcgm(JSON.stringify({ tests: [{ name: "memory", results: [{ entity_id: 0, status: "banana" }] }] }))?.[0]?.status, "unknown");
  assert.deepEqual([readDcgm(""), readDcgm("Error: unable to connect"), readDcgm("{}")], [null, null, null]);
  const probe = withSection(healthyProbe("gpu-a"), "dcgm", section(JSON.stringify(three), { code: 205 }));
  const results = judgeHosts(
    GPU_WORK.filter(({ id }) => id === "gpu.dcgm").map((check) => ({ ...check, needs: [] })),
    [{ host: hostSpec("gpu-a"), probe }],
    diagContext(),
  );
  assert.deepEqual(results.map(({ status, observed }) => `${status} ${observed}`), ["fail PCIe, GPU 2: Drain the GPU."]); // biome-ignore format: one line
});
