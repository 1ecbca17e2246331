/** What nvidia-smi knows, lists and complains of: names of fields by driver, -L, --version, and why there is no answer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalField, chooseFields, FIELD_GROUPS, readFieldHelp, refusedField, withoutField } from "../../../cluster/nvidia/fields.ts";
import { readListing } from "../../../cluster/nvidia/listing.ts";
import { smiTrouble } from "../../../cluster/nvidia/problem.ts";
import { compareVersions, readVersion } from "../../../cluster/nvidia/version.ts";
import { readSamples } from "../../support/samples.ts";

test("names of fields: what the driver knows is asked by the name that it knows", () => {
  const [sample] = readSamples("nvidia/query-aliases.txt");
  const known = readFieldHelp(sample?.text ?? "");
  assert.ok(known.has("gpu_uuid") && known.has("clocks_throttle_reasons.active") && known.size > 80);
  const help =
    'List of valid properties to query for the switch "--query-gpu=":\n\n"timestamp"\nThe timestamp of when the query was made in format "YYYY/MM/DD".\n\n';
  assert.deepEqual([...readFieldHelp(help)], ["timestamp"], "words in quotes within the prose are no fields");
  const old = new Set(["uuid", "clocks_throttle_reasons.active", "clocks.sm", "memory.used"]);
  assert.deepEqual(chooseFields(["uuid", "clocks_event_reasons.active", "clocks.current.sm", "gpu_recovery_action"], old), {
    ask: ["uuid", "clocks_throttle_reasons.active", "clocks.sm"],
    missing: ["gpu_recovery_action"],
  });
  assert.equal(canonicalField("clocks_throttle_reasons.hw_slowdown"), "clocks_event_reasons.hw_slowdown");
  for (const { title, text } of readSamples("nvidia/query-fields.txt")) {
    const accepted = new Set(text.trim().split(/\s+/));
    for (const [group, fields] of Object.entries(FIELD_GROUPS)) {
      assert.deepEqual(chooseFields(fields, accepted).missing, [], `${title}: ${group}`);
    }
  }
});

test("a refused field is left out, until nothing is left to ask", () => {
  assert.equal(refusedField('Field "gpu_recovery_action" is not a valid field to query.\n\n'), "gpu_recovery_action");
  assert.equal(refusedField("0, GPU-a"), null);
  assert.deepEqual(withoutField(["uuid", "pstate", "x"], "x"), ["uuid", "pstate"]);
  assert.equal(withoutField(["uuid", "x"], "x"), null);
  assert.equal(withoutField(["uuid", "pstate"], "x"), null, "no endless asking");
});

test("listings and versions of every captured driver", () => {
  for (const { title, text } of readSamples("nvidia/list-version.txt")) {
    if (title.endsWith("-L")) {
      const { gpus, texts } = readListing(text);
      assert.deepEqual([gpus.length, texts], [1, []], title);
      assert.equal(gpus[0]?.mig.length, title.includes("MIG") ? 4 : 0);
      if (title.includes("MIG")) assert.deepEqual(gpus[0]?.mig[1], { profile: "2g.20gb", device: 1, uuid: "MIG-00000001-0000-0000-0000-000000000001" });
    } else {
      const { driver, cuda } = readVersion(text);
      assert.match(driver ?? "", /^(590\.48\.01|595\.71\.05|610\.57\.04)$/, title);
      assert.match(cuda ?? "", /^13\.[123]$/, title);
    }
  }
  for (const { title, text } of readSamples("nvidia/table.txt")) {
    const { driver, cuda } = readVersion(text);
    assert.ok(/^\d{3}\.\d+(\.\d+)?$/.test(driver ?? "") && /^1\d\.\d$/.test(cuda ?? ""), title);
  }
  assert.deepEqual(readVersion("CUDA Version: N/A  Driver Version: N/A"), { driver: null, cuda: null });
  assert.deepEqual([compareVersions("12.10", "12.9"), compareVersions("12.4", "12.4.0"), compareVersions("12.9", "13")], [1, 0, -1]);
});

test("why there is no answer: by the words, then by the code", () => {
  const cases: readonly (readonly [string, string, number | null, string])[] = [
    [
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n",
      "",
      9,
      "driver-not-loaded",
    ],
    ["Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.144\n", "", 18, "driver-mismatch"],
    ["Failed to initialize NVML: Driver/library version mismatch\n", "", 255, "driver-mismatch"],
    ["Failed to initialize NVML: Unknown Error\n", "", 255, "container-lost"],
    ["Failed to initialize NVML: Insufficient Permissions\n", "", 255, "denied"],
    ["No devices were found\n", "", 6, "no-devices"],
    ["No devices were found\n", "", 0, "no-devices"],
    ["NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.\n", "", 12, "library-missing"],
    ["Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover this GPU\n", "", 15, "gpu-lost"],
    ['Field "x" is not a valid field to query.\n', "", 2, "unknown-field"],
    ["", "bash: line 1: nvidia-smi: command not found\n", 127, "not-installed"],
    ["", "", null, "hung"],
    ["", "", 18, "driver-mismatch"],
    ["", "", 77, "failed"],
    ["whatever\n", "", 1, "failed"],
  ];
  for (const [out, err, code, kind] of cases) assert.equal(smiTrouble(out, err, code)?.kind, kind, out + err + code);
  assert.equal(smiTrouble("0, GPU-a\n", "", 0), null);
  assert.equal(smiTrouble("0, GPU-a\nUnable to determine the device handle for GPU0000:02:00.0: Unknown Error\n", "", 0)?.busId, "0000:02:00.0");
  fc.assert(fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 255 }), (out, err, code) => smiTrouble(out, err, code) !== null));
});
