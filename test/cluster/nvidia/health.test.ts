/** What GPUs tell of their health and of each other: the kernel's log, topology, links, the long answer; and AMD's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readAmdSmi, readRocmSmi } from "../../../cluster/amd/metrics.ts";
import { isSameBus, readGpuEvents } from "../../../cluster/nvidia/kernel-log.ts";
import { readNvlink } from "../../../cluster/nvidia/nvlink.ts";
import { readQueryText } from "../../../cluster/nvidia/query-text.ts";
import { readPeerAccess, readTopology } from "../../../cluster/nvidia/topology.ts";
import { actionOf, KNOWN_XIDS, linkSubcode, xidOf } from "../../../cluster/nvidia/xid.ts";
import { readSampleFile, readSamples } from "../../support/samples.ts";

test("kernel logs of every form: which GPU, which code, when", () => {
  const events = readGpuEvents(
    readSampleFile("nvidia/dmesg-xid.txt")
      .split("\n")
      .filter((line) => !line.startsWith("##")),
  );
  const told = events.map(({ kind, code, busId }) => `${kind} ${code} ${busId}`);
  assert.deepEqual(told, [
    "xid 119 0000:9b:00",
    "xid 48 0000:52:00",
    "xid 63 0000:52:00",
    "xid 94 0000:52:00",
    "xid 13 0000:cb:00",
    "xid 13 0000:cb:00",
    "xid 109 0000:cb:00",
    "xid 149 0009:01:00",
    "xid 154 0009:01:00",
    "fallen 0 0000:b3:00.0",
    "init 0 ",
    "fallen 0 0000:29:00.0",
    "xid 79 0000:05:00",
    "xid 94 0000:0f:00",
    "xid 64 0000:0f:00",
    "sxid 12028 0000:85:00.0",
    "link 0 0000:9c:00.0",
    "xid 63 0000:10:1c",
    "link 0 0000:04:00.0",
  ]);
  assert.deepEqual([events[0]?.pid, events[0]?.at, events[1]?.at], [2024380, "[Sun Feb 23 16:24:18 2025]", "[430954.509105]"]);
  const [mig] = readGpuEvents(["2026-02-23T16:24:18+0000 gpu-a kernel: NVRM: Xid (PCI:0000:52:00 GPU-I:05): 94, pid=7, name=python3, Ch 00000008"]);
  assert.deepEqual([mig?.code, mig?.busId, mig?.at, mig?.pid], [94, "0000:52:00", "2026-02-23T16:24:18+0000", 7]);
  assert.ok(isSameBus("00000000:9B:00.0", "0000:9b:00") && !isSameBus("0000:9b:00", "0000:9c:00") && !isSameBus("", ""));
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 40 }), { maxLength: 5 }), (lines) => readGpuEvents(lines).length === 0),
    { numRuns: 50 },
  );
});

test("what an Xid asks for; of some the line itself says", () => {
  assert.equal(KNOWN_XIDS.length, 45);
  assert.deepEqual(
    [79, 48, 13, 64, 999].map((code) => xidOf(code).action),
    ["reboot", "reset", "restart", "hardware", "watch"],
  );
  assert.equal(actionOf(154, "GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)"), "reset");
  assert.equal(actionOf(154, "GPU recovery action changed from 0x1 (GPU Reset Required) to 0x2 (Node Reboot Required)"), "reboot");
  assert.equal(actionOf(154, "GPU recovery action changed from 0x4 (Drain and Reset) to 0x0 (None)"), "none");
  assert.equal(actionOf(154, "cut of"), "reset", "a line that cannot be read is not taken for harmless");
  const fatal = "NETIR_LINK_EVT  Fatal   XC0 i0 Link 01 (0x021425c6 0x00000000)";
  assert.deepEqual([actionOf(149, fatal), actionOf(149, fatal.replace("Fatal", "Nonfatal")), linkSubcode(149, fatal)], ["reset", "watch", 0x21]);
});

test("topology: eight GPUs and NICs, with escapes, and never half a matrix", () => {
  const sample = readSampleFile("nvidia/topo-m-8xH100.txt");
  const tabbed = sample.replace(/ {2,}/g, "\t").replaceAll(/GPU0(?=\tGPU1)/g, "\x1b[4mGPU0\x1b[0m");
  for (const text of [sample, tabbed]) {
    const topology = readTopology(text);
    assert.ok(!("problem" in topology), JSON.stringify(topology));
    assert.deepEqual([topology.gpus.length, topology.nics.length, topology.links[0]?.[1], topology.links[3]?.[3]], [8, 8, "NV18", "X"]);
    assert.deepEqual([topology.nicLinks[1]?.[1], topology.nicLinks[0]?.[7], topology.cpus[7]], ["PIX", "SYS", "48-95,144-191"]);
  }
  const older = "\tGPU0\tGPU1\tmlx5_0\tmlx5_bond_0\tCPU Affinity\nGPU0\t X \tPHB\tPIX\tSYS\t0-7\nGPU1\tPHB\t X \tSYS\tSYS\t8-15\nmlx5_0\tPIX\tSYS\t X \tSYS\n";
  const read = readTopology(older);
  assert.ok(!("problem" in read) && read.nics[1] === "mlx5_bond_0" && read.nicLinks[0]?.[0] === "PIX" && read.cpus[1] === "8-15");
  assert.deepEqual(readTopology(older.replace(/^GPU1.*\n/m, "")), { problem: "the row of GPU1 is missing", isFault: true });
  assert.deepEqual(readTopology(older.replace("PHB", "NVL")), { problem: "the row of GPU0 is not understood", isFault: false });
  for (const cut of [0, 200, 900, 1500]) assert.ok("problem" in readTopology(sample.slice(0, cut)), String(cut));
  assert.ok("problem" in readTopology(sample.replace("GPU1    NV18", "GPU1     X  ")), "an X where none may be");
  const [all, two] = readSamples("nvidia/topo-p2p.txt");
  const eight = readPeerAccess(all?.text ?? "");
  assert.ok(!("problem" in eight) && eight.status.every((row, at) => row[at] === "X" && row.filter((cell) => cell === "OK").length === 7));
  assert.deepEqual(readPeerAccess(two?.text ?? ""), { gpus: ["GPU0", "GPU1"], status: [["X", "CNS"], ["CNS", "X"]] }); // biome-ignore format: a matrix
});

test("NVLink: links, none, all dead, and lines that cannot be read", () => {
  const head = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-a)\n";
  const one = (text: string) => readNvlink(head + text)[0];
  assert.deepEqual(one("\t Link 0: 26.562 GB/s\n\t Link 1: <inactive>\n"), { index: 0, uuid: "GPU-a", state: "links", speeds: [26.562, null], errors: {} });
  assert.equal(one("\t Device does not have or support Nvlink\n")?.state, "none");
  assert.equal(one("\t Unable to retrieve NVLink information as all links are inActive\n")?.state, "dead");
  assert.equal(one("\t Nvlink queries are not supported for Devices in MIG mode\n")?.state, "mig");
  assert.equal(one("\t Link 0: 26.562 GB/s\n\t Link 1: [Unknown Error]\n")?.state, "unreadable");
  assert.equal(one("")?.state, "unreadable");
  assert.deepEqual(one("\t Link 0: Replay Errors: 3\n\t Link 0: CRC Errors: 0\n\t Link 1: Replay Errors: 4\n")?.errors, { Replay: 7, CRC: 0 });
  const newer = "\t Link 0: Tx packets: 12\n\t Link 0: Malformed packet Errors: 2\n\t Link 0: Effective BER: 15e-254\n";
  assert.deepEqual([one(newer)?.state, one(newer)?.errors], ["links", { "Malformed packet": 2 }]);
  assert.deepEqual(readNvlink("whatever"), []);
});

test("the long answer: values by path", () => {
  const text = [
    "==============NVSMI LOG==============",
    "Attached GPUs                             : 1",
    "GPU 00000000:0F:00.0",
    "    PCI",
    "        GPU Link Info",
    "            PCIe Generation",
    "                Max                       : 5",
    "        Replays Since Reset               : 12",
    "    Remapped Rows",
    "        Pending                           : Yes",
  ].join("\n");
  assert.deepEqual(
    readQueryText(text).map(({ busId, values }) => [
      busId,
      values["PCI/GPU Link Info/PCIe Generation/Max"],
      values["PCI/Replays Since Reset"],
      values["Remapped Rows/Pending"],
    ]),
    [["00000000:0F:00.0", "5", "12", "Yes"]],
  );
});

test("AMD: both shapes of amd-smi, partitions, and the older rocm-smi", () => {
  const gpu = {
    gpu: 0,
    usage: { gfx_activity: { value: 97, unit: "%" }, umc_activity: "N/A" },
    mem_usage: { total_vram: { value: 192, unit: "GB" }, used_vram: { value: 283, unit: "MB" } },
    temperature: { edge: "N/A", hotspot: { value: 41, unit: "C" }, mem: { value: 35, unit: "C" } },
    power: { socket_power: { value: 131, unit: "W" }, throttle_status: "UNTHROTTLED" },
    ecc: { total_correctable_count: 0, total_uncorrectable_count: 2 },
  };
  const partition = { ...gpu, usage: { gfx_activity: [{ xcp_0: ["N/A", { value: 55, unit: "%" }] }] } };
  for (const text of [JSON.stringify([gpu]), JSON.stringify({ gpu_data: [gpu] })]) {
    const [read] = readAmdSmi(text) ?? [];
    assert.deepEqual(
      [read?.utilization, read?.memoryUtilization, read?.memoryTotal, read?.temperature, read?.eccUncorrected, read?.throttle],
      [{ v: 97 }, { na: "unsupported" }, { v: 196608 }, { v: 41 }, { v: 2 }, { v: "UNTHROTTLED" }],
    );
  }
  assert.deepEqual(readAmdSmi(JSON.stringify([partition]))?.[0]?.utilization, { v: 55 });
  for (const key of ["Average Graphics Package Power (W)", "Current Socket Graphics Package Power (W)"]) {
    const text = `WARNING: something\n${JSON.stringify({ card0: { "GPU use (%)": "7", "VRAM Total Memory (B)": "68702699520", [key]: "42.0" }, system: {} })}`;
    const [read] = readRocmSmi(text) ?? [];
    assert.deepEqual([read?.utilization, read?.memoryTotal, read?.power, read?.memoryUsed], [{ v: 7 }, { v: 65520 }, { v: 42 }, { na: "not-asked" }]);
  }
  assert.deepEqual([readAmdSmi("ERROR"), readAmdSmi("{"), readRocmSmi("[]"), readRocmSmi("")], [null, null, null, null]);
});
