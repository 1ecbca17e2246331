/** What GPUs and the kernel remember of errors: Xid, the bus, ECC, rows of memory to be replaced. */

import { flagOf, type GpuRow, numberOf, textOf } from "../../nvidia/gpu-row.ts";
import { type GpuEvent, isSameBus, readGpuEvents } from "../../nvidia/kernel-log.ts";
import { actionOf, linkSubcode, type XidAction, xidOf } from "../../nvidia/xid.ts";
import type { HostCheck, HostProbe, Judgement } from "../check.ts";
import { on, steps } from "../cure.ts";
import { ageOf, ago } from "../kernel-age.ts";
import { failed, filesOf, kernelLog, notLooked, numberIn, pass, warn } from "../read.ts";
import { eachGpu, gpusOf, identityOf, known, valueOr } from "./gpu-read.ts";

const base = { group: "gpu", tier: "quick", scope: "host", needs: ["gpu.driver"], who: "root" } as const;
const RESET = on("sudo nvidia-smi --gpu-reset -i {index}", "when nothing uses it; where that is refused: sudo reboot");

/** Whatever the driver's state: what it says of itself now may be the consequence. */
const LOG = { ...base, needs: ["sys.klog"], isBlocking: false } as const;

const WORST: readonly XidAction[] = ["hardware", "reboot", "reset", "resetWhenIdle", "restart", "watch", "byText", "none"];
const BAD: readonly XidAction[] = ["hardware", "reboot", "reset"];

type Judged = { readonly event: GpuEvent; readonly action: XidAction };

function actionIn(event: GpuEvent): XidAction {
  if (event.kind === "xid") return actionOf(event.code, event.text);
  return /\bnon-?fatal\b/i.test(event.text) ? "watch" : "reset";
}

/** Events since the GPU last said that it has recovered (Xid 154, … to None). 79 is gpu.fallen's. */
function openEvents(events: readonly GpuEvent[]): readonly Judged[] {
  const numbered = events.filter(({ kind, code }) => (kind === "xid" && code !== 79) || kind === "sxid");
  const open = numbered.filter(
    (event, at) =>
      !numbered.slice(at).some((later) => later.kind === "xid" && later.code === 154 && isSameBus(later.busId, event.busId) && actionIn(later) === "none"),
  );
  return open.map((event) => ({ event, action: actionIn(event) }));
}

/** s since each event; null: not known, and so taken for new. */
function agesIn(probe: HostProbe, now: number): (event: GpuEvent) => number | null {
  let uptime: number;
  try {
    uptime = numberIn(filesOf(probe, "load").get("/proc/uptime")?.split(" ")[0], "/proc/uptime");
  } catch {
    return () => null;
  }
  return ({ at }) => ageOf(at, uptime, now + (probe.clock?.offsetMs ?? 0));
}

const NEVER: GpuEvent = { kind: "xid", code: 0, busId: "", at: "", text: "", pid: null };

/** What a program did to itself is over after a day; what the GPU needs is over when the driver says that it needs nothing. */
const OVER_S = 24 * 3600;

function judgeXid(probe: HostProbe, now: number): readonly Judgement[] {
  const events = readGpuEvents(kernelLog(probe));
  const byBus = Map.groupBy(openEvents(events), ({ event }) => event.busId.toLowerCase());
  if (byBus.size === 0) return [pass(events.some(({ kind }) => kind === "xid") ? "none since the last recovery" : "none in this boot")];
  const age = agesIn(probe, now);
  return [...byBus].map(([busId, judged]) => {
    const { event, action } = judged.toSorted((a, b) => WORST.indexOf(a.action) - WORST.indexOf(b.action))[0] ?? { event: null, action: "none" as const };
    const isSwitch = event?.kind === "sxid";
    const xid = xidOf(event?.code ?? 0);
    const row = rowAt(probe, busId);
    const own = row === null ? null : identityOf(row);
    const codes = [...new Set(judged.map(({ event: { kind, code } }) => `${kind === "sxid" ? "SXid" : "Xid"} ${code}`))];
    const last = age(judged.at(-1)?.event ?? NEVER);
    const isOver = last !== null && last > OVER_S;
    const when = last === null ? "" : `, the last ${ago(last)}`;
    const code = event === null ? null : linkSubcode(event.code, event.text);
    const about = isSwitch ? "the NVLink switch reports an error" : `${xid.name}${code === null ? "" : `, sub-code ${code}`}`;
    const observed = `${own === null ? `the GPU at ${busId}` : `GPU ${own.index}`}: ${codes.slice(0, 6).join(", ")}${codes.length > 6 ? " and more" : ""} in this boot${when}; ${about}`;
    const command =
      { reset: on("sudo nvidia-smi --gpu-reset -i {index}", "when nothing uses it"), reboot: on("sudo reboot", "at a quiet time") }[action as string] ?? null;
    const fix = isSwitch ? on("sudo reboot", "or reset the GPUs and the switch together") : command === null ? xid.advice : steps(`# ${xid.advice}`, command);
    const evidence = judged.slice(-3).map(({ event: { at, code, text } }) => `${at} ${code}, ${text}`.trim());
    const more = { evidence, words: { fix, index: own?.index ?? busId }, ...(own === null ? {} : { gpu: own.uuid }) };
    if (action === "none" || (isOver && (action === "restart" || action === "watch"))) return pass(observed);
    if (!BAD.includes(action)) return warn(observed, more);
    const isWell = isOver && row?.down === null && valueOr(textOf(row, "gpu_recovery_action"), "") === "None";
    return isWell ? warn(`${observed}; the driver asks for no recovery now`, more) : failed(observed, more);
  });
}

function rowAt(probe: HostProbe, busId: string): GpuRow | null {
  try {
    return gpusOf(probe).rows.find((row) => isSameBus(identityOf(row).busId, busId)) ?? null;
  } catch {
    return null; // a driver that does not answer: the address must do
  }
}

function judgeFallen(probe: HostProbe): Judgement {
  const events = readGpuEvents(kernelLog(probe)).filter(({ kind, code }) => kind === "fallen" || kind === "init" || (kind === "xid" && code === 79));
  if (events.length === 0) return pass("none in this boot");
  const places = [...new Set(events.flatMap(({ busId }) => (busId === "" ? [] : [busId])))];
  const kind = events.some((event) => event.kind !== "init") ? "has fallen off the bus" : "could not be started by the driver";
  return failed(`a GPU ${kind}${places.length === 0 ? "" : `: ${places.join(", ")}`}`, {
    evidence: events.slice(-3).map(({ at, text }) => `${at} ${text}`.trim()),
  });
}

export const GPU_HEALTH: readonly HostCheck[] = [
  {
    ...LOG,
    id: "gpu.xid",
    title: "GPU errors (Xid) in the kernel log",
    why: "a GPU that reported one gives wrong results, hangs, or fails again",
    fix: steps(
      on("sudo nvidia-smi --gpu-reset -i {index}", "where the number asks for a reset, and nothing uses it; else: sudo reboot"),
      "# each number has its own cure: nexadist diag names it",
    ),
    verify: on("journalctl -k -b -q | grep -E 'NVRM: Xid|SXid' | tail"),
    proof: "sample",
    judge: (probe, _, { now }) => judgeXid(probe, now),
  },
  {
    ...LOG,
    id: "gpu.fallen",
    title: "GPUs that fell off the bus",
    why: "it is gone until the host is switched off and on",
    fix: steps(
      "# switch {host} off and on: a reboot may not do",
      "# it comes again: power cable and supply, riser, heat; less power helps some; then replace it",
    ),
    verify: on("nvidia-smi -L"),
    proof: "sample",
    judge: judgeFallen,
  },
  {
    ...base,
    id: "gpu.ecc_volatile",
    title: "memory errors (ECC) since the driver was loaded",
    why: "what was trained with it may be wrong",
    fix: RESET,
    verify: on("nvidia-smi --query-gpu=index,ecc.errors.uncorrected.volatile.total --format=csv"),
    isBlocking: true,
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) => {
        const wrong = known(numberOf(row, "ecc.errors.uncorrected.volatile.total"), "its count of wrong memory (ECC)");
        const corrected = valueOr(numberOf(row, "ecc.errors.corrected.volatile.total"), 0);
        if (wrong > 0) return failed(`${wrong} uncorrectable ECC error${wrong === 1 ? "" : "s"}`, { expected: "0" });
        // More than that in one life of the driver is a row that goes bad: NVIDIA's own diagnosis starts to complain at 10 a second.
        return corrected > 1000 ? warn(`${corrected} corrected ECC errors`, { expected: "few" }) : pass("0 uncorrectable");
      }),
  },
  {
    ...base,
    id: "gpu.ecc_aggregate",
    tier: "full",
    title: "memory errors (ECC) in the life of a GPU",
    why: "it is worn out, and NVIDIA replaces it",
    fix: steps(
      "# take GPU {index} of {host} out of the file (gpus:)",
      on("dcgmi diag -r 3"),
      on("sudo nvidia-bug-report.sh", "for the vendor, who replaces it"),
    ),
    verify: on("nvidia-smi -q -d ECC -i {index}"),
    isBlocking: false,
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) => {
        if (valueOr(flagOf(row, "ecc.errors.uncorrected.aggregate.sram.thresholdExceeded"), false))
          return failed("its SRAM has had more errors than it may (threshold exceeded)");
        const all = known(numberOf(row, "ecc.errors.uncorrected.aggregate.total"), "its errors of a lifetime");
        return all > 4
          ? failed(`${all} uncorrectable errors in its life`, { expected: "at most 4" })
          : all > 0
            ? warn(`${all} uncorrectable error${all === 1 ? "" : "s"} in its life`)
            : pass("0 in its life");
      }),
  },
  {
    ...base,
    id: "gpu.remap",
    title: "rows of GPU memory to be replaced",
    why: "the bad row stays in use until the GPU is reset",
    fix: RESET,
    verify: on("nvidia-smi -q -d ROW_REMAPPER"),
    isBlocking: true,
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) => {
        const { index } = identityOf(row);
        const pending = known(flagOf(row, "remapped_rows.pending"), "rows to be replaced");
        const hasFailed = known(flagOf(row, "remapped_rows.failure"), "rows that could not be replaced");
        if (hasFailed)
          return failed("a bad row could not be replaced", {
            words: { fix: `take GPU ${index} of ${probe.host} out of the file (gpus:) and have it replaced: this qualifies for it` },
          });
        if (pending)
          return failed("a bad row waits to be replaced", {
            words: { index, fix: RESET },
          });
        const done = valueOr(numberOf(row, "remapped_rows.uncorrectable"), 0);
        return pass(done > 0 ? `${done} replaced earlier` : "none");
      }),
  },
  {
    ...base,
    id: "gpu.retired",
    tier: "full",
    title: "retired pages of GPU memory",
    why: "the memory wears out",
    fix: on("sudo reboot", "retires what waits; from 63 pages on the GPU is replaced"),
    verify: on("nvidia-smi -q -d PAGE_RETIREMENT"),
    isBlocking: false,
    proof: "sample",
    judge: (probe) =>
      eachGpu(probe, (row) => {
        const pending = textOf(row, "retired_pages.pending");
        // Ampere and newer replace rows instead, and tell nothing here.
        if ("na" in pending && pending.na === "unsupported") throw notLooked("this GPU replaces rows, see gpu.remap");
        const pages =
          known(numberOf(row, "retired_pages.single_bit_ecc.count"), "retired pages") + known(numberOf(row, "retired_pages.double_bit.count"), "retired pages");
        if (known(flagOf(row, "retired_pages.pending"), "pages that wait") || pages >= 63)
          return failed(`${pages} pages retired${pages >= 63 ? "" : ", more wait for a reboot"}`, { expected: "under 15" });
        return pages >= 15 ? warn(`${pages} pages retired`, { expected: "under 15" }) : pass(`${pages} retired`);
      }),
  },
];
