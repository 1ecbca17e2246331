/** Judges of GPUs on sections that are empty, cut, refused or noise: none is green then; kernel logs and torch's own word. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HostProbe, Result, Section } from "../../../cluster/diag/check.ts";
import { GPU_CHECKS, gpuHost, judgeGpus } from "../../support/gpu-probe.ts";
import { healthyProbe, json, section, withSection } from "../../support/probes.ts";
import { readSampleFile, readSamples } from "../../support/samples.ts";

const host = gpuHost("gpu-a", { kind: "count", count: 1 });
/** Of the capture, what the probe asks for; at rest. */
const KEPT =
  /^(index|uuid|name|pci\.bus_id|driver_version|compute_cap|persistence_mode|compute_mode|display_active|utilization\.gpu|memory\.(used|total)|temperature\..*|fan\.speed|power\.(draw|default_limit)|enforced\.power\.limit|clocks\.(current|max)\.sm|clocks_event_reasons\.active|pcie\.link\..*|mig\.mode\..*|gpu_recovery_action|ecc\.errors\.(un)?corrected\.(volatile|aggregate)\.total|remapped_rows\.(pending|failure)|retired_pages\.pending|fabric\.(state|status))( |$)/;
const [h100] = readSamples("nvidia/csv-allfields.txt").map(({ text }) => {
  const [head = [], row = []] = text.split("\n").map((line) => line.split(", "));
  const at = head.flatMap((name, column) => (KEPT.test(name) ? [column] : []));
  return [head, row].map((cells) => `${at.map((column) => cells[column]).join(", ")}\n`).join("").replace("19818 MiB", "0 MiB"); // biome-ignore format: one line
});
const list = readSamples("nvidia/list-version.txt");
const torch = {
  torch: "2.9.1+cu128",
  cuda: "12.8",
  arches: ["sm_80", "sm_90", "compute_90"],
  isAvailable: true,
  count: 1,
  capabilities: [[9, 0]],
  sums: [262144],
  isBusy: false,
  seconds: 3,
  warnings: [],
};
const answer = (out: string, more: object = {}): Section => json({ code: 0, out, err: "", ms: 40, ...more });

/** A host with the captured H100. */
function probeOf(more: Readonly<Record<string, Section>> = {}): HostProbe {
  const own: Record<string, Section> = {
    smi_list: section(list[0]?.text ?? ""),
    smi_version: answer(list[1]?.text ?? ""),
    smi_gpus: answer(h100 ?? "", { fields: [], refused: [], isKnown: true }),
    smi_apps: answer("", { owners: {} }),
    smi_topo: section("\tGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\nGPU0\t X \t0-25\t0\t\tN/A\n\nLegend:\n"),
    smi_nvlink: section("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)\n\t Link 0: 26.562 GB/s\n"),
    smi_nvlink_errors: section("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)\n\t Link 0: Replay Errors: 0\n"),
    smi_p2p: section(" \tGPU0\t\n GPU0\tX\t\n\nLegend:\n"),
    smi_pci: section("Attached GPUs : 1\nGPU 00000000:00:09.0\n    PCI\n        Replays Since Reset : 0\n"),
    gpu_pci: json({ gpus: [{ busId: "0000:00:09.0", driver: "nvidia", numa_node: "0", local_cpulist: "0-25" }], nodes: 1 }),
    torch_cuda: json(torch),
    ...more,
  };
  const probe = healthyProbe("gpu-a");
  return { ...probe, sections: { ...probe.sections, ...own } };
}

const judge = (probe: HostProbe): readonly Result[] => judgeGpus([{ host, probe }]);
const statusOf = (results: readonly Result[], id: string): string =>
  [...new Set(results.filter((result) => result.id === id).map(({ status }) => status))].join(" ");
const green = (results: readonly Result[]): ReadonlySet<string> => new Set(GPU_CHECKS.map(({ id }) => id).filter((id) => statusOf(results, id) === "pass"));
const bugs = (results: readonly Result[]): readonly string[] =>
  results.flatMap(({ id, observed }) => (/the check itself failed|the check said nothing/.test(observed) ? [`${id}: ${observed}`] : []));

/** Section → checks that may pass without it, having it from elsewhere. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = { gpu_pci: ["gpu.driver", "gpu.count"] };

const READERS: Readonly<Record<string, readonly string[]>> = {
  smi_list: GPU_CHECKS.filter(({ needs }) => needs.includes("gpu.driver")).map(({ id }) => id).concat("gpu.driver"),
  smi_gpus: ["gpu.count", "gpu.recovery_action", "gpu.ecc_volatile", "gpu.remap", "gpu.throttle", "gpu.temp", "gpu.persistence", "gpu.busy", "gpu.leaked_mem", "gpu.mig", "gpu.pcie", "gpu.compute_mode", "gpu.smi_latency", "torch.arch"],
  smi_apps: ["gpu.leaked_mem", "gpu.busy"],
  smi_topo: ["gpu.topo"],
  smi_nvlink: ["gpu.nvlink"],
  smi_nvlink_errors: ["gpu.nvlink_err"],
  smi_p2p: ["gpu.p2p"],
  smi_pci: ["gpu.pcie_replay"],
  smi_version: ["torch.driver_cuda", "torch.arch"],
  torch_cuda: ["torch.cuda", "torch.arch"],
  kernel_log: ["gpu.xid", "gpu.fallen", "gpu.slot"],
  gpu_pci: ["numa.affinity"],
}; // biome-ignore format: a table

test("the captured H100 is well", () => {
  const results = judge(probeOf());
  assert.deepEqual(results.filter(({ status }) => status !== "pass" && status !== "skip"), []); // biome-ignore format: one line
  for (const [name, ids] of Object.entries(READERS))
    for (const id of ids.filter(
      (each) => !["gpu.retired", "gpu.clocks", "sys.iommu", "sys.acs", "gpu.fabricmanager", "gpu.h2d", "gpu.burn", "gpu.p2p_copy", "gpu.dcgm"].includes(each),
    ))
      assert.equal(statusOf(results, id), "pass", `${id} of ${name}`);
});

test("no captured GPU, at rest or under load, has a finding that it does not deserve", () => {
  const table = readSamples("nvidia/csv-good.txt").map(({ title, text }) => {
    const out = text
      .replace(/^fields:.*\n/, "")
      .trim()
      .replace(/(?<=, )\d+ MiB(?=, \d+ MiB, \d+ MiB)/, "0 MiB");
    const found = judge(probeOf({ smi_gpus: answer(`${out}\n`) })).filter(({ status }) => status === "warn" || status === "fail" || status === "error");
    return [title.replace(/ {2,}.*/, ""), found.map(({ status, id }) => `${status} ${id}`).join(", ")];
  });
  const of = (name: string, said: string): readonly (readonly [string, string])[] => [`${name} idle`, `${name} load`].map((title) => [title, said]);
  // The torch of this host has no kernels for a 2080.
  const turing = "warn gpu.persistence, fail torch.arch";
  assert.deepEqual(
    Object.fromEntries(table),
    Object.fromEntries([
      ...of("H100-590", ""),
      ...of("H200-590", ""),
      ...of("H100-MIG-590", "warn gpu.mig"),
      ...of("L40S-595", "warn gpu.persistence"),
      ...of("RTX4080S-595", "warn gpu.persistence"),
      ...of("RTX2080S-595", turing),
      ...of("RTX2080S-610", turing),
    ]),
  );
});

const REFUSED: readonly Section[] = [
  section(""),
  section("\n"),
  section("", { code: 1, err: "Permission denied" }),
  section("Zugriff verweigert\n", { code: 1 }),
  section("Failed to initialize NVML: Driver/library version mismatch\n", { code: 18 }),
  { code: null, out: "", err: "", ms: 9000, why: "no answer within 10 s" },
  { code: null, out: "", err: "", ms: 1, why: "nvidia-smi is not there" },
];

test("a section that is empty, refused or absent makes no check green that reads it", () => {
  for (const [name, ids] of Object.entries(READERS)) {
    for (const text of REFUSED) {
      const results = judge(withSection(probeOf(), name, text));
      assert.deepEqual(bugs(results), []);
      for (const id of ids) assert.notEqual(statusOf(results, id), "pass", `${id} with ${name} = ${JSON.stringify(text)}`);
    }
    const { [name]: _, ...rest } = probeOf().sections;
    const results = judge({ ...probeOf(), sections: rest });
    for (const id of ids) assert.notEqual(statusOf(results, id), "pass", `${id} without ${name}`);
  }
});

test("no cut and no noise makes a check green that was not", () => {
  const lost = answer("index, uuid, memory.used [MiB], temperature.gpu\n0, GPU-a, [GPU is lost], [GPU is lost]\n");
  const sick: readonly HostProbe[] = [
    probeOf(),
    probeOf({ smi_gpus: lost }),
    probeOf({ smi_apps: answer("GPU-00000000-0000-0000-0000-000000000000, 7, 900, x\n", { owners: { 7: null } }) }),
  ];
  const noise = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.json(),
    fc.constantFrom("[N/A]", "N/A\n", "null", "{}", "[]", "0, 0, 0\n", "ERR!\n", "No devices were found\n"),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...sick),
      fc.constantFrom(...Object.keys(READERS)),
      fc.option(noise),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (probe, name, random, part) => {
        const before = green(judge(probe));
        const whole = probe.sections[name];
        const text = random ?? (whole?.out ?? "").slice(0, Math.floor((whole?.out.length ?? 0) * part));
        const results = judge(withSection(probe, name, section(text)));
        assert.deepEqual(bugs(results), []);
        for (const id of green(results))
          assert.ok(before.has(id) || OPTIONAL[name]?.includes(id) === true, `${id} passes with ${name} = ${JSON.stringify(text)}`);
      },
    ),
    { numRuns: 150 },
  );
});

test("kernel logs: what must be done, of which GPU, and not what is over", () => {
  const log = (...lines: readonly string[]): HostProbe =>
    probeOf({ kernel_log: section(`# dmesg\n[    0.1] Linux\n${lines.join("\n")}\n# end of the kernel log\n`) });
  const say = (probe: HostProbe, id: string): readonly string[] =>
    judge(probe)
      .filter((result) => result.id === id)
      .map(({ status, observed, gpu }) => `${status} ${observed}${gpu === undefined ? "" : ` [${gpu.slice(-4)}]`}`);
  assert.deepEqual(say(log("[89990.0] NVRM: Xid (PCI:0000:00:09): 48, pid=1, x"), "gpu.xid"), [
    "fail GPU 0: Xid 48 in this boot, the last 10 s ago; two wrong bits in memory [0000]",
  ]);
  assert.deepEqual(say(log("[89990.0] NVRM: Xid (PCI:0000:00:09): 13, pid=1, x"), "gpu.xid"), [
    "warn GPU 0: Xid 13 in this boot, the last 10 s ago; a program did what the GPU cannot [0000]",
  ]);
  assert.deepEqual(say(log("[89990.0] NVRM: Xid (PCI:0000:00:09): 45, pid=1, x"), "gpu.xid"), [
    "pass GPU 0: Xid 45 in this boot, the last 10 s ago; a program's work was cleaned up",
  ]);
  assert.deepEqual(say(log("[89990.0] nvidia-nvswitch2: SXid (PCI:0000:85:00.0): 12028, Non-fatal, Link 61"), "gpu.xid"), [
    "warn the GPU at 0000:85:00.0: SXid 12028 in this boot, the last 10 s ago; the NVLink switch reports an error",
  ]);
  const over = [
    "[89990.0] NVRM: Xid (PCI:0000:00:09): 119, x",
    "[89991.0] NVRM: Xid (PCI:0000:00:09): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)",
  ];
  assert.deepEqual(say(log(...over), "gpu.xid"), ["pass none since the last recovery"]);
  assert.equal(say(log(...over.toReversed()), "gpu.xid")[0]?.startsWith("fail GPU 0: Xid 119"), true);
  const all = log(
    ...readSampleFile("nvidia/dmesg-xid.txt")
      .split("\n")
      .filter((line) => !line.startsWith("##")),
  );
  assert.equal(say(all, "gpu.fallen")[0], "fail a GPU has fallen off the bus: 0000:b3:00.0, 0000:29:00.0, 0000:05:00");
  assert.deepEqual(
    say(
      log("[9.0] pci 0000:00:09.0: 126.0 Gb/s available PCIe bandwidth, limited by 16.0 GT/s PCIe x8 link at 0000:00:01.0 (capable of 504.1 Gb/s)"),
      "gpu.slot",
    ),
    ["warn the GPU at 0000:00:09.0 is in a slot slower than itself"],
  );
});

test("torch: built without CUDA, for another CUDA, without kernels, with a driver too old, wrong sums", () => {
  const say = (more: object, id = "torch.cuda"): string => {
    const [result] = judge(probeOf({ torch_cuda: json({ ...torch, ...more }) })).filter((each) => each.id === id);
    return `${result?.status} ${result?.observed}`;
  };
  assert.equal(say({}), "pass 1 GPU, ready in 3.0 s");
  assert.equal(say({ cuda: null, isAvailable: false }), "fail torch 2.9.1+cu128 was built without CUDA");
  assert.match(say({ isAvailable: false, warnings: ["The NVIDIA driver on your system is too old"] }), /^fail The NVIDIA driver on your system is too old/);
  assert.match(say({ problem: "RuntimeError: CUDA unknown error" }), /^fail RuntimeError: CUDA unknown error/);
  assert.equal(say({ sums: [262143] }), "fail GPU 0 multiplies wrongly: 262143");
  assert.equal(say({ isBusy: true, sums: [] }), "skip torch finds 1 GPUs; in use, so nothing is computed on them");
  assert.equal(say({}, "torch.arch"), "pass kernels for 9.0");
  assert.match(say({ arches: ["sm_80", "sm_86"] }, "torch.arch"), /^fail torch 2.9.1\+cu128 has no kernels for capability 9.0/);
  assert.match(say({ arches: ["sm_80", "compute_80"] }, "torch.arch"), /^warn .*compiled when first used/);
  const version = (cuda: string): string => {
    const [result] = judge(probeOf({ smi_version: answer(`DRIVER version      : 590.48.01\nCUDA Version        : ${cuda}\n`) })).filter(
      ({ id }) => id === "torch.driver_cuda",
    );
    return `${result?.status} ${result?.observed}`;
  };
  assert.equal(version("12.8"), "pass torch 2.9.1+cu128 wants CUDA 12.8, the driver serves 12.8");
  assert.match(version("12.4"), /^warn .*serves 12.4/);
  assert.match(version("11.8"), /^fail .*serves 11.8/);
});

test("torch: the index of the cure is one that exists, the newest that the driver serves", () => {
  const wheel = (cuda: string): string | undefined =>
    judge(
      probeOf({
        smi_version: answer(`DRIVER version      : 590.48.01\nCUDA Version        : ${cuda}\n`),
        torch_cuda: json({ ...torch, isAvailable: false }),
      }),
    ).find(({ id }) => id === "torch.cuda")?.words?.wheel;
  const given = ["11.4", "11.8", "12.0", "12.2", "12.7", "12.8", "12.10", "13.0", "13.2"].map(wheel);
  assert.deepEqual(given, ["cu118", "cu118", "cu118", "cu121", "cu126", "cu128", "cu129", "cu130", "cu130"]);
});

test("every word in braces of a fix is given", () => {
  for (const { id, fix, verify } of GPU_CHECKS) {
    for (const [, word = ""] of `${fix} ${verify}`.matchAll(/\{([a-z]\w*)\}/g))
      assert.ok(["host", "index", "python", "wheel", "watts", "branch", "file"].includes(word), `${id}: ${word}`);
  }
});
