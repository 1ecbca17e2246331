/** Cells, rows and processes of nvidia-smi: real captures read whole, and nothing that is no number becomes one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lackOf, readMask, readNumber } from "../../../cluster/nvidia/cell.ts";
import { flagOf, maskOf, numberOf, readGpuLine, readGpuTable, textOf } from "../../../cluster/nvidia/gpu-row.ts";
import { readProcesses } from "../../../cluster/nvidia/processes.ts";
import { reasonsIn, reasonWords } from "../../../cluster/nvidia/throttle.ts";
import { readSamples } from "../../support/samples.ts";

test("every captured answer is read: values, lacks, and the two apart", () => {
  const samples = readSamples("nvidia/csv-good.txt");
  assert.equal(samples.length, 14);
  for (const { title, text } of samples) {
    const asked = /^fields: (.*)$/m.exec(text)?.[1]?.split(",") ?? [];
    const body = text.replace(/^fields:.*\n/m, "");
    const table = readGpuTable(body);
    assert.equal(table.rows.length, 1, title);
    assert.deepEqual(table.texts, [], title);
    assert.equal(table.fields.length, asked.length);
    const row = table.rows[0];
    assert.ok(row);
    assert.equal(row.down, null, title);
    // The same without its header, as a stream has it.
    const line = body.trim().split("\n").at(-1) ?? "";
    assert.deepEqual(readGpuLine(asked, line), { kind: "row", row });
    assert.ok("v" in numberOf(row, "memory.total") && "v" in numberOf(row, "power.draw") && "v" in maskOf(row, "clocks_event_reasons.active"), title);
    assert.deepEqual(textOf(row, "power.management"), { na: "deprecated" });
    assert.deepEqual(numberOf(row, "memory.elsewhere"), { na: "not-asked" });
    if (title.startsWith("RTX")) assert.deepEqual(numberOf(row, "ecc.errors.uncorrected.volatile.total"), { na: "unsupported" }, "no ECC is not 0 errors");
    if (title.includes("MIG")) {
      assert.deepEqual(numberOf(row, "utilization.gpu"), { na: "unsupported" });
      assert.deepEqual(flagOf(row, "mig.mode.current"), { v: true });
    }
  }
  const load = readGpuTable(samples.find(({ title }) => title.startsWith("H100-590 load"))?.text ?? "").rows[0];
  assert.ok(load);
  assert.deepEqual(
    ["utilization.gpu", "memory.used", "power.draw", "temperature.gpu", "clocks.current.sm", "fan.speed"].map((field) => numberOf(load, field)),
    [{ v: 100 }, { v: 19818 }, { v: 631.95 }, { v: 59 }, { v: 1980 }, { na: "unsupported" }],
  );
  for (const { text, title } of readSamples("nvidia/csv-allfields.txt")) {
    const [row] = readGpuTable(text).rows;
    assert.ok(row, title);
    assert.ok("v" in numberOf(row, "clocks_event_reasons_counters.sw_power_cap"), title);
  }
});

test("a GPU that is out of order is down, whatever else its row says", () => {
  const fields = ["index", "uuid", "memory.used", "utilization.gpu", "temperature.gpu"];
  const read = (line: string) => {
    const answer = readGpuLine(fields, line);
    assert.equal(answer.kind, "row", line);
    return answer.kind === "row" ? answer.row : assert.fail();
  };
  const reset = read("0, GPU-a, 0 MiB, [GPU requires reset], 31");
  assert.deepEqual([reset.down, numberOf(reset, "memory.used"), numberOf(reset, "temperature.gpu")], ["reset-required", { na: "down" }, { na: "down" }]);
  assert.deepEqual(numberOf(reset, "index"), { v: 0 });
  assert.equal(read("1, GPU-b, [GPU is lost], [GPU is lost], [GPU is lost]").down, "lost");
  assert.equal(read("1, GPU-b, [Unknown Error], [Unknown Error], [Unknown Error]").down, "unknown");
  assert.equal(read("[Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error]").down, "unknown");
  assert.equal(read("[GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost]").down, "lost");
  const one = read("1, GPU-b, 12 MiB, 3 %, [Unknown Error]");
  assert.deepEqual([one.down, numberOf(one, "temperature.gpu"), numberOf(one, "memory.used")], [null, { na: "unknown" }, { v: 12 }]);
  const most = read("1, GPU-b, 12 MiB, 4294967295 %, 42");
  assert.deepEqual(numberOf(most, "utilization.gpu"), { na: "garbled" }, "a sentinel of the driver is no value");
  const mig = read("1, GPU-b, [N/A], [N/A], [N/A]");
  assert.deepEqual([mig.down, numberOf(mig, "memory.used")], [null, { na: "unsupported" }], "unified memory and MIG lack values and are well");
});

test("text between rows is text", () => {
  const fields = ["index", "uuid", "memory.used"];
  for (const line of [
    "Unable to determine the device handle for GPU0000:02:00.0: Unknown Error",
    "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover this GPU",
    'Field "nonsense" is not a valid field to query.',
    "0, GPU-a",
    "0, GPU-a, 12 MiB, 4",
    "one, GPU-a, 12 MiB",
    "so, and, so",
    "WARNING: infoROM is corrupted at gpu 0000:65:00.0",
  ]) {
    assert.equal(readGpuLine(fields, line).kind, "text", line);
  }
  assert.equal(readGpuLine(["name"], "No devices were found").kind, "text", "also where one column is asked");
  assert.equal(readGpuLine(["name"], "NVIDIA GeForce RTX 4090").kind, "row");
  assert.equal(readGpuLine(["gpu_uuid"], "[GPU is lost]").kind, "row");
  assert.equal(readGpuLine(fields, "").kind, "blank");
});

test("processes: names may hold the separator, and who cannot be read is told, not left out", () => {
  const out = [
    "GPU-a, 77, 2566, python, train.py, --lr 1",
    "GPU-a, 78, [N/A], [Not Found]",
    "GPU-b, 79, 12, No devices were found",
    "GPU-b, nobody, 12, x",
    "Unable to determine the device handle for GPU0000:02:00.0: Unknown Error",
    "",
  ].join("\n");
  const { processes, texts } = readProcesses(out);
  assert.deepEqual(processes, [
    { gpu: "GPU-a", pid: 77, memory: { v: 2566 }, name: { v: "python, train.py, --lr 1" } },
    { gpu: "GPU-a", pid: 78, memory: { na: "unsupported" }, name: { na: "not-found" } },
    { gpu: "GPU-b", pid: 79, memory: { v: 12 }, name: { v: "No devices were found" } },
  ]);
  assert.equal(texts.length, 2);
  const other = readProcesses("gpu_uuid, pid, process_name, used_gpu_memory [MiB]\nGPU-a, 7, a, b, c, 12 MiB\n");
  assert.deepEqual(other.processes, [{ gpu: "GPU-a", pid: 7, memory: { v: 12 }, name: { v: "a, b, c" } }], "a header says what was asked");
  assert.deepEqual(other.texts, []);
  assert.deepEqual(readProcesses("GPU-a, 5, 7 MiB\n", ["gpu_uuid", "pid", "used_memory"]).processes[0]?.memory, { v: 7 });
});

test("reasons of clocks", () => {
  assert.deepEqual(reasonsIn(0x48), ["hwSlowdown", "hwThermal"]);
  assert.deepEqual(reasonsIn(0x100000001), ["gpuIdle"]);
  assert.equal(reasonWords(0), "none");
  assert.equal(reasonWords(0x400), "0x400");
});

test("no garbage makes a number", () => {
  const honest = /^\s*-?\d+(\.\d+)?( ?(%|MiB|KiB|GiB|W|MHz|C|us|ms|KB\/s|MB\/s))?\s*$/;
  const piece = fc.constantFrom("0", "7", "12", ".", "-", "e", "x", "[", "]", " ", "MiB", "%", ",", "N/A", "NaN", "Infinity", "0x", "_", "+", "ERR!");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 20 }),
        fc.array(piece, { maxLength: 6 }).map((parts) => parts.join("")),
      ),
      (cell) => {
        const read = readNumber(cell);
        if ("v" in read) assert.ok(honest.test(cell) && Number.isFinite(read.v), cell);
        const mask = readMask(cell);
        if ("v" in mask) assert.match(cell.trim(), /^0x[0-9a-fA-F]+$/);
        if (lackOf(cell) !== null) assert.ok(!("v" in read));
      },
    ),
    { numRuns: 500 },
  );
  for (const cell of [
    "",
    " ",
    "[N/A]",
    "N/A",
    "-",
    "ERR!",
    "[Whatever comes next]",
    "1e3",
    "0x10",
    "1 2",
    "12MiB/3",
    "１２",
    "1,5",
    "--1",
    "99999999999999999",
    "00x",
  ]) {
    assert.ok("na" in readNumber(cell), cell);
  }
});

test("no line makes a row that was not asked for, and none throws", () => {
  const fields = ["index", "uuid", "memory.used", "power.draw"];
  const cell = fc.constantFrom("0", "GPU-a", "12 MiB", "[N/A]", "[GPU is lost]", "3.5 W", "", "x", ", ", "Unknown Error", "\r");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.array(cell, { maxLength: 7 }).map((cells) => cells.join(", ")),
      ),
      (line) => {
        const read = readGpuLine(fields, line);
        if (read.kind !== "row") return;
        assert.equal(Object.keys(read.row.cells).length, 4);
        const index = numberOf(read.row, "index");
        assert.ok("na" in index || Number.isInteger(index.v));
      },
    ),
    { numRuns: 2000 },
  );
});
