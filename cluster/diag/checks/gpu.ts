/** Whether the GPUs that a run wants are there and answer. */

import * as z from "zod";
import { textOf as cellText } from "../../nvidia/gpu-row.ts";
import { readListing } from "../../nvidia/listing.ts";
import { type SmiProblem, smiTrouble } from "../../nvidia/problem.ts";
import type { HostSpec } from "../../spec.ts";
import type { HostCheck, HostProbe, Judgement } from "../check.ts";
import { on } from "../cure.ts";
import { CannotSay, cannotSay, failed, notLooked, pass, skip, warn } from "../read.ts";
import { CURES, LOST } from "./driver-cures.ts";
import { DOWN, eachGpu, gpusOf, identityOf, told } from "./gpu-read.ts";

const base = { group: "gpu", tier: "quick", scope: "host", needs: ["gpu.driver"] } as const;

export const pciShape = z.object({
  gpus: z.array(z.object({ busId: z.string(), driver: z.string().nullable(), numa_node: z.string(), local_cpulist: z.string() })),
  nodes: z.number(),
});

/** GPUs on the bus; null: the bus cannot be seen from there. */
function onBus(probe: HostProbe): number | null {
  try {
    const { gpus } = told(probe, "gpu_pci", pciShape);
    return gpus.length === 0 ? null : gpus.length;
  } catch (thrown) {
    if (thrown instanceof CannotSay) return null;
    throw thrown;
  }
}

const FEWER = on("nvidia-smi -L; lspci -d 10de:", "in lspci only: sudo reboot; in neither: power, slot, riser; if that is all it has: gpus: in the file");
const RESET = on("sudo nvidia-smi --gpu-reset -i {index}", "when nothing uses it; where that is refused: sudo reboot");

function judgeDriver(probe: HostProbe, host: HostSpec): Judgement {
  if (host.gpus.kind === "none") return skip("the run uses no GPU there");
  const section = probe.sections["smi_list"];
  if (section === undefined) throw notLooked("nvidia-smi was not asked");
  const isWanted = host.gpus.kind !== "auto";
  const bus = onBus(probe);
  const broken = (kind: SmiProblem, says: string): Judgement => failed(says, { words: { fix: CURES[kind] } });
  if (section.why !== undefined && /is not there$/.test(section.why)) {
    if (bus === null && !isWanted) return skip("no NVIDIA GPU there");
    return broken("not-installed", bus === null ? "there is no nvidia-smi" : `${bus} NVIDIA GPU${bus === 1 ? "" : "s"} in the host, but no nvidia-smi`);
  }
  if (section.why !== undefined && /^no answer/.test(section.why)) return broken("hung", `nvidia-smi gave ${section.why}: the driver hangs`);
  if (section.code === null) throw cannotSay(`nvidia-smi -L: ${section.why ?? "it did not end"}`);
  const { gpus } = readListing(section.out);
  const trouble = smiTrouble(section.out, section.err, section.code);
  if (gpus.length > 0) {
    if (trouble === null || trouble.kind === "gpu-lost") return pass(`${gpus.length} GPU${gpus.length === 1 ? "" : "s"}`);
    return warn(trouble.says, { words: { fix: CURES[trouble.kind] } });
  }
  if (trouble === null) throw cannotSay("nvidia-smi -L lists nothing");
  if (trouble.kind === "no-devices" && bus === null && !isWanted) return skip("no NVIDIA GPU there");
  return broken(trouble.kind, trouble.says);
}

function judgeCount(probe: HostProbe, host: HostSpec): readonly Judgement[] {
  const { rows, trouble } = gpusOf(probe);
  const bus = onBus(probe);
  const lost = rows.filter(({ down }) => down === "lost").map((row) => identityOf(row));
  const alive = rows.length - lost.length;
  const found: Judgement[] = lost.map(({ index, uuid }) => failed(`GPU ${index} is lost`, { gpu: uuid, words: { index, fix: LOST } }));
  const listing = readListing(probe.sections["smi_list"]?.out ?? "").gpus;
  if (trouble?.kind === "gpu-lost" && trouble.busId !== undefined)
    found.push(failed(`the GPU at ${trouble.busId} does not answer: ${trouble.says}`, { words: { fix: LOST } }));
  const seen = bus === null || bus === alive ? "" : `; the bus has ${bus}`;
  // What is lost was named; only what is missing beyond it is news.
  if (host.gpus.kind === "count" && alive + found.length < host.gpus.count)
    found.push(failed(`${alive} of ${host.gpus.count} GPUs answer${seen}`, { expected: `${host.gpus.count}, as the file says`, words: { fix: FEWER } }));
  if (host.gpus.kind === "list") {
    const known = new Set([...rows.flatMap((row) => Object.values(identityOf(row))), ...listing.flatMap(({ mig }) => mig.map(({ uuid }) => uuid))]);
    const missing = host.gpus.ids.filter((id) => !known.has(id));
    if (missing.length > 0)
      found.push(
        failed(`not there: ${missing.map((id) => (/^\d/.test(id) ? `GPU ${id}` : id)).join(", ")}`, {
          expected: "all that the file lists",
          words: { fix: FEWER },
        }),
      );
  }
  if (found.length > 0) return found;
  if (listing.length > rows.length) return [failed(`${listing.length} GPUs are listed and only ${rows.length} answer`, { words: { fix: LOST } })];
  if (bus !== null && bus > alive) return [warn(`${alive} GPUs answer, the bus has ${bus}`, { expected: "all of them", words: { fix: FEWER } })];
  return [pass(`${alive} GPU${alive === 1 ? "" : "s"}`)];
}

function judgeState(probe: HostProbe): readonly Judgement[] {
  const { rows } = gpusOf(probe);
  const down = rows.filter((row) => row.down === "reset-required" || row.down === "unknown");
  const bad = down.map((row): Judgement => {
    const { index, uuid } = identityOf(row);
    return failed(`GPU ${index} ${DOWN[row.down ?? "unknown"]}`, {
      gpu: uuid,
      words: { index, fix: RESET },
    });
  });
  const rest = eachGpu(probe, (row) => {
    const action = cellText(row, "gpu_recovery_action");
    if ("na" in action)
      throw (action.na === "not-asked" ? notLooked : cannotSay)(
        action.na === "not-asked" ? "this driver does not tell which recovery a GPU needs" : "the recovery that it needs cannot be read",
      );
    if (action.v === "None") return pass("no recovery is needed");
    const fix = /reboot/i.test(action.v) ? on("sudo reboot") : on("sudo nvidia-smi --gpu-reset -i {index}", "with all GPUs that NVLink joins to it idle");
    return failed(`it asks for recovery: ${action.v}`, { expected: "None", words: { fix } });
  });
  // Those that are down were told above.
  return [...bad, ...rest.filter(({ status, observed }) => status !== "skip" || !/requires a reset|answers nothing/.test(observed))];
}

export const GPU: readonly HostCheck[] = [
  {
    ...base,
    id: "gpu.driver",
    title: "the NVIDIA driver",
    why: "without it no rank there can use a GPU",
    fix: on("nvidia-smi -L; lsmod | grep ^nvidia; lspci -d 10de:", "which of the three is silent: no program, no module, no card"),
    who: "root",
    verify: on("nvidia-smi -L"),
    needs: [],
    isBlocking: true,
    proof: "broken",
    judge: judgeDriver,
  },
  {
    ...base,
    id: "gpu.count",
    title: "the GPUs that the run wants",
    why: "the launcher would start fewer ranks, or ranks without a GPU",
    fix: FEWER,
    who: "root",
    verify: "nexadist diag --only gpu.count --host {host}",
    isBlocking: true,
    proof: "sample",
    judge: judgeCount,
  },
  {
    ...base,
    id: "gpu.recovery_action",
    title: "a recovery that a GPU asks for",
    why: "kernels on it fail or hang, and with them all other ranks",
    fix: RESET,
    who: "root",
    verify: on("nvidia-smi --query-gpu=index,gpu_recovery_action --format=csv"),
    isBlocking: true,
    proof: "sample",
    judge: judgeState,
  },
];
