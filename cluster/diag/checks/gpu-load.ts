/** What slows GPUs down: heat, power, clocks, modes; and nvidia-smi itself. */

import { flagOf, type GpuRow, maskOf, numberOf, textOf } from "../../nvidia/gpu-row.ts";
import { BAD_REASONS, reasonsIn, reasonWords } from "../../nvidia/throttle.ts";
import type { HostCheck, Judgement } from "../check.ts";
import { on, steps } from "../cure.ts";
import { failed, notLooked, pass, warn } from "../read.ts";
import { eachGpu, gpusOf, identityOf, known, valueOr } from "./gpu-read.ts";

const base = { group: "gpu", tier: "quick", scope: "host", needs: ["gpu.driver"], who: "root", isBlocking: false } as const;

/** % from which a GPU counts as at work: below it clocks and links rest. */
const BUSY_PERCENT = 50;
const isAtWork = (row: GpuRow): boolean => valueOr(numberOf(row, "utilization.gpu"), 0) >= BUSY_PERCENT;

function judgeThrottle(row: GpuRow): Judgement {
  const mask = known(maskOf(row, "clocks_event_reasons.active"), "why its clocks are low");
  const reasons = reasonsIn(mask);
  const words = reasonWords(mask);
  const fix = reasons.includes("hwPowerBrake") || (reasons.includes("hwSlowdown") && !reasons.includes("hwThermal")) ? "power" : "heat";
  const cure = {
    heat: steps(
      "# clear fans and air paths of {host}, or lower the power:",
      on("nvidia-smi -q -d POWER", "shows what it may be; then there: sudo nvidia-smi -pl, a fifth less"),
    ),
    power: "look at the power cables, the supply and its budget on {host}",
  }[fix];
  const more = { words: { fix: cure } };
  if (reasons.some((reason) => BAD_REASONS.includes(reason) && reason !== "swThermal")) return failed(words, more);
  if (reasons.includes("swThermal")) return warn(words, more);
  const draw = numberOf(row, "power.draw");
  const limit = numberOf(row, "enforced.power.limit");
  // At its limit under load is how a GPU works; held back far below it is not.
  if (reasons.includes("swPowerCap") && isAtWork(row) && "v" in draw && "v" in limit && draw.v < 0.9 * limit.v) {
    return warn(`held back by power at ${draw.v} W of ${limit.v} W`, { words: { fix: "see gpu.power_limit; a board's shared budget holds back too" } });
  }
  return pass(words);
}

function judgeHeat(row: GpuRow): Judgement {
  const gpu = known(numberOf(row, "temperature.gpu"), "its temperature");
  const margin = numberOf(row, "temperature.gpu.tlimit");
  const memory = numberOf(row, "temperature.memory");
  const left = "v" in margin ? `, ${margin.v} °C below its limit` : "";
  const observed = `${gpu} °C${left}${"v" in memory ? `, memory ${memory.v} °C` : ""}`;
  const isBroken = "na" in numberOf(row, "fan.speed") && textIsError(row, "fan.speed");
  if (isBroken) return failed(`${observed}; its fan cannot be read`, { expected: "a fan that turns" });
  if (gpu > 87 || ("v" in margin && margin.v <= 2)) return failed(observed, { expected: "under 80 °C" });
  if (gpu >= 80 || ("v" in margin && margin.v <= 10) || ("v" in memory && memory.v >= 95)) return warn(observed, { expected: "under 80 °C" });
  return pass(`${gpu} °C`);
}

const textIsError = (row: GpuRow, field: string): boolean => {
  const text = textOf(row, field);
  return "na" in text && text.na === "unknown";
};

export const GPU_LOAD: readonly HostCheck[] = [
  {
    ...base,
    id: "gpu.throttle",
    title: "what holds the clocks of GPUs back",
    why: "all ranks wait for the slowest GPU",
    fix: steps(on("nvidia-smi -q -d PERFORMANCE,POWER,TEMPERATURE", "what it is"), "# heat: clear fans and air paths; power: cables, supply, budget"),
    verify: on("nvidia-smi -q -d PERFORMANCE"),
    proof: "sample",
    judge: (probe) => eachGpu(probe, judgeThrottle),
  },
  {
    ...base,
    id: "gpu.temp",
    title: "the temperature of GPUs",
    why: "a hot GPU slows down first and then stops",
    fix: steps(
      "# clear fans and air paths of {host}; cards side by side: leave a slot free; or lower their power:",
      on("nvidia-smi -q -d POWER -i {index}", "shows what it may be; then there: sudo nvidia-smi -i {index} -pl, a fifth less"),
    ),
    verify: on("nvidia-smi --query-gpu=index,temperature.gpu --format=csv"),
    proof: "sample",
    judge: (probe) => eachGpu(probe, judgeHeat),
  },
  {
    ...base,
    id: "gpu.clocks",
    tier: "full",
    title: "the clocks of GPUs at work",
    why: "clocks that somebody locked make a straggler",
    fix: on("sudo nvidia-smi -rgc -i {index} && sudo nvidia-smi -rmc -i {index}"),
    verify: on("nvidia-smi -q -d CLOCK -i {index}"),
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) => {
        if (!isAtWork(row)) throw notLooked("it rests: clocks are judged under load");
        const now = known(numberOf(row, "clocks.current.sm"), "its clock");
        const most = known(numberOf(row, "clocks.max.sm"), "its highest clock");
        const share = Math.round((100 * now) / most);
        const observed = `${now} of ${most} MHz (${share} %)`;
        const isCapped = reasonsIn(valueOr(maskOf(row, "clocks_event_reasons.active"), 0)).includes("swPowerCap");
        if (share >= 85) return pass(observed);
        return share >= 70 || isCapped ? warn(observed, { expected: "85 % or more" }) : failed(observed, { expected: "85 % or more" });
      }),
  },
  {
    ...base,
    id: "gpu.persistence",
    title: "the persistence of the driver",
    why: "else each start, and each look, waits for it for seconds",
    fix: on("sudo systemctl enable --now nvidia-persistenced || sudo nvidia-smi -pm 1"),
    verify: on("nvidia-smi --query-gpu=persistence_mode --format=csv"),
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) =>
        known(flagOf(row, "persistence_mode"), "its persistence mode") ? pass("on") : warn("persistence mode is off", { expected: "on" }),
      ),
  },
  {
    ...base,
    id: "gpu.smi_latency",
    title: "how soon nvidia-smi answers",
    why: "an answer that takes long foretells a driver that hangs",
    fix: on("sudo nvidia-smi -pm 1", "persistence mode; then look at gpu.xid"),
    verify: on("time nvidia-smi --query-gpu=index --format=csv"),
    proof: "broken",
    judge: (probe) => {
      const { ms } = gpusOf(probe);
      const observed = `${(ms / 1000).toFixed(1)} s`;
      // Seven of them are asked at once: twice as long as one alone is nothing.
      return ms > 10_000 ? failed(observed, { expected: "under 3 s" }) : ms > 3000 ? warn(observed, { expected: "under 3 s" }) : pass(observed);
    },
  },
  {
    ...base,
    id: "gpu.compute_mode",
    title: "the compute mode of GPUs",
    why: "a GPU that prohibits compute refuses every rank",
    fix: on("sudo nvidia-smi -c 0 -i {index}"),
    verify: on("nvidia-smi --query-gpu=index,compute_mode --format=csv"),
    isBlocking: true,
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) => {
        const mode = known(textOf(row, "compute_mode"), "its compute mode");
        if (mode === "Prohibited") return failed("compute mode Prohibited", { expected: "Default" });
        return mode === "Default" ? pass("Default") : warn(`compute mode ${mode}: one program each`, { expected: "Default" });
      }),
  },
  {
    ...base,
    id: "gpu.mig",
    title: "GPUs in parts (MIG)",
    why: "NCCL does not work between parts of one GPU (MIG)",
    fix: on("sudo nvidia-smi -mig 0 -i {index}", "then reset it; or one rank with the UUID of one part in gpus:"),
    verify: on("nvidia-smi --query-gpu=index,mig.mode.current,mig.mode.pending --format=csv"),
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) => {
        const mode = flagOf(row, "mig.mode.current");
        if ("na" in mode && mode.na === "unsupported") return pass("it cannot be parted");
        const isOn = known(mode, "its MIG mode");
        const pending = flagOf(row, "mig.mode.pending");
        if ("v" in pending && pending.v !== isOn)
          return failed(`MIG is ${isOn ? "on" : "off"} and changes with the next reset`, { words: { index: identityOf(row).index } });
        return isOn ? warn("MIG is on: it is in parts") : pass("whole");
      }),
  },
];
