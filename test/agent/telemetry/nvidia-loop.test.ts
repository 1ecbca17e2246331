/** The loop over nvidia-smi against a program that misbehaves: what is told, what is not, and that nothing is left of it. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { keepReadings } from "../../../agent/telemetry/gpu-readings.ts";
import { loopNvidia, type Paces } from "../../../agent/telemetry/nvidia-loop.ts";
import type { GpuSample, GpuTool } from "../../../cluster/telemetry/sample.ts";
import { makeTempDir } from "../../support/fake-gpus.ts";

const FAKE = fileURLToPath(new URL("../../../scripts/fake-nvidia-smi", import.meta.url));
const PACES: Paces = { everyMs: 50, silentMs: 1500, askMs: 4000, backoffMs: [50, 200], absentMs: 50, slowMs: 200 };
const UUID = "GPU-00000000-0000-0000-0000-000000000000";

type Rig = {
  readonly control: (state: Readonly<Record<string, unknown>>) => void;
  readonly when: <T>(what: string, look: (tool: GpuTool, gpus: Record<string, GpuSample>) => T | null | undefined | false) => Promise<T>;
};

/** `script`: in place of the fake, lines of sh; $FAKE is the fake, $DIR a directory of the test's own. */
async function rig(t: TestContext, script = 'exec "$FAKE" "$@"', shows: { program: boolean } = { program: true }): Promise<Rig> {
  const dir = await makeTempDir(t);
  const path = join(dir, "control.json");
  const program = join(dir, "nvidia-smi");
  writeFileSync(program, `#!/bin/sh\nexport FAKE_NVIDIA_SMI=${path} FAKE=${FAKE} DIR=${dir}\n${script}\n`, { mode: 0o755 });
  writeFileSync(path, JSON.stringify({ gpus: [{}] }));
  const readings = keepReadings();
  const loop = loopNvidia(() => (shows.program ? program : null), { row: readings.row, lost: readings.lost, log: () => undefined }, PACES);
  t.after(async () => {
    loop.close();
    for (const deadline = Date.now() + 5000; left(dir).length > 0 && Date.now() < deadline; ) await delay(20);
    assert.deepEqual(left(dir), [], "nothing of it is left");
  });
  return {
    control: (state) => writeFileSync(path, JSON.stringify(state)),
    when: async (what, look) => {
      for (const deadline = Date.now() + 20_000; ; await delay(20)) {
        const found = look(loop.tool(), readings.now(loop.tool().state === "ok"));
        if (found !== null && found !== undefined && found !== false) return found;
        if (Date.now() > deadline) throw new Error(`${what}: ${JSON.stringify(loop.tool())} ${JSON.stringify(readings.now(true))}`);
      }
    },
  };
}

/** Processes that have the test's directory in their environment. */
function left(dir: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8")) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`DIR=${dir}`);
    } catch {
      return false;
    }
  });
}

test("numbers as they are, hot and slow and static; what the GPU does not tell is absent, not 0", async (t) => {
  const { control, when } = await rig(t);
  control({ gpus: [{ "utilization.gpu": "97 %", "power.draw": "612.10 W", "ecc.errors.uncorrected.volatile.total": "3", "fan.speed": "[N/A]" }] });
  const gpu = await when("busy", (_, gpus) => (gpus[UUID]?.use === 97 && gpus[UUID].eccUncorrected !== undefined ? gpus[UUID] : null));
  assert.equal(gpu.powerW, 612.1);
  assert.equal(gpu.eccUncorrected, 3);
  assert.equal(gpu.name, "NVIDIA H100 80GB HBM3");
  assert.ok(!("fanPercent" in gpu));
  control({ gpus: [{ "utilization.gpu": "5 %" }] });
  await when("idle again", (_, gpus) => gpus[UUID]?.use === 5);
});

test("a GPU that needs a reset is down, and the 0 MiB that its row shows are not told", async (t) => {
  const { control, when } = await rig(t);
  await when("alive", (tool, gpus) => tool.state === "ok" && gpus[UUID]?.memoryTotalMiB !== undefined);
  control({ gpus: [{ "utilization.gpu": "[GPU requires reset]", "memory.used": "0 MiB", "temperature.gpu": "[GPU requires reset]" }] });
  const gpu = await when("down", (_, gpus) => (gpus[UUID]?.down === "reset-required" ? gpus[UUID] : null));
  for (const name of ["memoryUsedMiB", "use", "temperatureC", "powerW", "eccUncorrected"]) assert.ok(!(name in gpu), name);
});

test("one that hangs is told to hang, its numbers are not told any more, and it is begun anew", async (t) => {
  const { control, when } = await rig(t);
  await when("alive", (_, gpus) => gpus[UUID]?.use === 0);
  control({ mode: "hang", gpus: [{}] });
  const tool = await when("hung", (found, gpus) => {
    if (found.state !== "hung") return null;
    assert.equal(gpus[UUID]?.name, "NVIDIA H100 80GB HBM3");
    assert.ok(!("use" in (gpus[UUID] ?? {})) && !("memoryUsedMiB" in (gpus[UUID] ?? {})));
    return found;
  });
  assert.ok((tool.since ?? 0) > 0);
  control({ gpus: [{ "utilization.gpu": "11 %" }] });
  await when("back", (found, gpus) => found.state === "ok" && gpus[UUID]?.use === 11);
});

test("one that floods is ended, one that fails is said to fail in its own words, and both come back", async (t) => {
  const { control, when } = await rig(t);
  control({ mode: "flood", gpus: [{}] });
  await when("flooding", (tool) => tool.state === "flooding");
  control({ mode: "driver-error", gpus: [{}] });
  await when("failed", (tool) => tool.state === "failed" && /couldn't communicate with the NVIDIA driver/.test(tool.text ?? ""));
  control({ gpus: [{}] });
  await when("back", (tool, gpus) => tool.state === "ok" && gpus[UUID]?.use === 0);
});

test("a host without it is looked at again: the driver may come later", async (t) => {
  const shows = { program: false };
  const { when } = await rig(t, undefined, shows);
  await when("absent", (tool, gpus) => tool.state === "absent" && Object.keys(gpus).length === 0);
  shows.program = true;
  await when("there", (tool, gpus) => tool.state === "ok" && gpus[UUID]?.use === 0);
});

test("a field that this driver refuses costs that field alone", async (t) => {
  const refuse = `case "$*" in
    --help-query-gpu) echo "usage"; exit 0 ;;
    *temperature.memory*) echo 'Field "temperature.memory" is not a valid field to query.'; exit 2 ;;
  esac
  exec "$FAKE" "$@"`;
  const { when } = await rig(t, refuse);
  const gpu = await when("told", (_, gpus) => (gpus[UUID]?.temperatureC === undefined ? null : gpus[UUID]));
  assert.ok(!("memoryTemperatureC" in gpu));
  assert.equal(gpu.use, 0);
});

test("where the loop tells of errors only and a question is answered, it is asked singly", async (t) => {
  const broken = `case "$*" in
    *--loop-ms*) while true; do echo "${UUID}, 0$(printf ', [Unknown Error]%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)"; sleep 0.05; done ;;
  esac
  exec "$FAKE" "$@"`;
  const { when } = await rig(t, broken);
  const tool = await when("singly", (found, gpus) => (found.state === "ok" && found.text !== undefined && gpus[UUID]?.use === 0 ? found : null));
  assert.match(tool.text ?? "", /singly/);
});
