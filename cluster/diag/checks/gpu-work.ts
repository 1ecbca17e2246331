/** What GPUs did when they were given work: copies, products that must be equal, copies between them; and NVIDIA's own diagnosis. */

import * as z from "zod";
import { readDcgm } from "../../nvidia/dcgm.ts";
import { type GpuRow, numberOf } from "../../nvidia/gpu-row.ts";
import type { HostCheck, HostProbe, Judgement } from "../check.ts";
import { compare } from "../compare.ts";
import { on, steps } from "../cure.ts";
import { cannotSay, ended, failed, notLooked, pass, said, warn } from "../read.ts";
import { gpusOf, identityOf } from "./gpu-read.ts";

const index = z.int().nonnegative();
const told = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("gpu"), index, name: z.string(), uuid: z.string() }),
  z.object({ kind: z.literal("copy"), index, up: z.number(), down: z.number(), isEqual: z.boolean() }),
  z.object({ kind: z.literal("product"), index, name: z.string(), teraflops: z.number(), wrong: z.number(), sum: z.number() }),
  z.object({ kind: z.literal("peer-begins"), at: index, to: index }),
  z.object({ kind: z.literal("peer"), at: index, to: index, isEqual: z.boolean() }),
  z.object({ kind: z.literal("end") }),
]);
type Told = z.infer<typeof told>;
type Of<K extends Told["kind"]> = Extract<Told, { kind: K }>;

type Work = { readonly all: readonly Told[]; readonly isWhole: boolean; readonly why: string };

/** Also of work that did not end: what was done before tells where it hangs. Throws CannotSay. */
function workOf(probe: HostProbe): Work {
  const section = probe.sections["gpu_work"];
  if (section === undefined) throw notLooked("no work was given to the GPUs");
  const { out, err, code, why } = section;
  const all = out.split("\n").flatMap((line): readonly Told[] => {
    if (!line.startsWith("@")) return [];
    try {
      const parsed = told.safeParse(JSON.parse(line.slice(1)));
      return parsed.success ? [parsed.data] : [];
    } catch {
      return []; // cut
    }
  });
  if (all.length === 0) {
    const words = why ?? said(err).replace(/^\w+Error: /, "");
    throw /is not there$|are in use/.test(words) ? notLooked(words) : cannotSay(`work on the GPUs: ${words || "it said nothing"}`);
  }
  return { all, isWhole: all.some(({ kind }) => kind === "end"), why: why ?? (code === 0 ? "it ended early" : said(err) || `exit status ${code}`) };
}

function kindOf<K extends Told["kind"]>(
  probe: HostProbe,
  kind: K,
): { readonly found: readonly Of<K>[]; readonly uuids: ReadonlyMap<number, string>; readonly work: Work } {
  const work = workOf(probe);
  const uuids = new Map(work.all.flatMap((each) => (each.kind === "gpu" ? [[each.index, each.uuid] as const] : [])));
  return { found: work.all.filter((each): each is Of<K> => each.kind === kind), uuids, work };
}

/** One for each GPU, else it cannot be said. */
function ofEach<K extends "copy" | "product">(probe: HostProbe, kind: K): { readonly found: readonly Of<K>[]; readonly uuids: ReadonlyMap<number, string> } {
  const { found, uuids, work } = kindOf(probe, kind);
  if (uuids.size === 0 && work.isWhole) throw notLooked("torch finds no GPU there, see torch.cuda");
  if (found.length === 0 || found.length < uuids.size) throw cannotSay(`work on the GPUs did not come that far: ${work.why}`);
  return { found, uuids };
}

/** GB/s that PCIe gives in practice for 16 lanes, by generation. */
const PCIE_GBS: Readonly<Record<number, number>> = { 1: 3, 2: 6, 3: 12.5, 4: 25, 5: 50, 6: 100 };

function linkGbs(row: GpuRow | undefined): number | null {
  if (row === undefined) return null;
  const [generation, width] = [numberOf(row, "pcie.link.gen.max"), numberOf(row, "pcie.link.width.max")];
  if (!("v" in generation) || !("v" in width)) return null;
  const full = PCIE_GBS[generation.v];
  return full === undefined ? null : (full * width.v) / 16;
}

function judgeCopies(probe: HostProbe): readonly Judgement[] {
  const { found, uuids } = ofEach(probe, "copy");
  const { rows } = gpusOf(probe);
  const best = Math.max(...found.map(({ up, down }) => Math.min(up, down)));
  const bad = found.flatMap(({ index: at, up, down, isEqual }): readonly Judgement[] => {
    const gpu = uuids.get(at) ?? "";
    const more = { gpu, words: { index: String(at) } };
    if (!isEqual) return [failed(`GPU ${at}: what came back is not what was sent`, more)];
    const rate = Math.min(up, down);
    const link = linkGbs(rows.find((row) => identityOf(row).uuid === gpu) ?? rows[at]);
    const observed = `GPU ${at}: ${up.toFixed(1)} GB/s to it, ${down.toFixed(1)} GB/s from it`;
    const expected = link === null ? `${best.toFixed(1)} GB/s, as its neighbours` : `${(0.8 * link).toFixed(0)} GB/s`;
    if ((link !== null && rate < 0.5 * link) || rate < 0.7 * best) return [failed(observed, { expected, ...more })];
    return link !== null && rate < 0.8 * link ? [warn(observed, { expected, ...more })] : [];
  });
  return bad.length > 0
    ? bad
    : [pass(`${found.length} GPU${found.length === 1 ? "" : "s"}: ${Math.min(...found.map(({ up, down }) => Math.min(up, down))).toFixed(1)} GB/s or more`)];
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function judgeProducts(probe: HostProbe): readonly Judgement[] {
  const { found, uuids } = ofEach(probe, "product");
  const bad = found.flatMap(({ index: at, name, teraflops, wrong, sum }): readonly Judgement[] => {
    const alike = found.filter((each) => each.name === name);
    const more = { gpu: uuids.get(at) ?? "", words: { index: String(at) } };
    if (wrong > 0) return [failed(`GPU ${at}: the same product came out differently ${wrong} time${wrong === 1 ? "" : "s"}`, more)];
    const compared = compare(alike.map((each) => ({ host: String(each.index), value: String(each.sum) })));
    if (compared !== null && !compared.isTie && String(sum) !== compared.usual)
      return [failed(`GPU ${at}: its product differs from that of the ${alike.length - 1} others of its kind`, more)];
    const usual = middle(alike.map((each) => each.teraflops));
    const below = Math.round(100 * (1 - teraflops / usual));
    const observed = `GPU ${at}: ${teraflops.toFixed(0)} TFLOP/s, ${below} % below the others of its kind`;
    return below > 15 ? [failed(observed, more)] : below > 5 ? [warn(observed, more)] : [];
  });
  const isAlone = found.every(({ name }) => found.filter((each) => each.name === name).length < 2);
  return bad.length > 0
    ? bad
    : [
        pass(
          `${found.length} GPU${found.length === 1 ? "" : "s"}: ${found.map(({ teraflops }) => teraflops.toFixed(0)).join(", ")} TFLOP/s${isAlone ? ", none to compare with" : ", equal results"}`,
        ),
      ];
}

function judgePeerCopies(probe: HostProbe): readonly Judgement[] {
  const { found, uuids, work } = kindOf(probe, "peer");
  const begun = kindOf(probe, "peer-begins").found;
  const wrong = found.filter(({ isEqual }) => !isEqual);
  if (wrong.length > 0) return wrong.map(({ at, to }) => failed(`what GPU ${at} sent to GPU ${to} arrived wrong`, { gpu: uuids.get(to) ?? "" }));
  const last = begun.at(-1);
  if (!work.isWhole && last !== undefined && begun.length > found.length)
    return [failed(`a copy from GPU ${last.at} to GPU ${last.to} does not end`, { gpu: uuids.get(last.to) ?? "" })];
  if (!work.isWhole) throw cannotSay(`work on the GPUs did not come that far: ${work.why}`);
  if (uuids.size < 2) throw notLooked("one GPU");
  return found.length === 0 ? [pass("no pair can, NCCL uses the host's memory")] : [pass(`${found.length} ways`)];
}

function judgeDcgm(probe: HostProbe): readonly Judgement[] {
  const { out, err, code } = ended(probe, "dcgm");
  const tests = readDcgm(out);
  if (tests === null) throw cannotSay(`dcgmi: ${said(err) || said(out) || `exit status ${code}`}`);
  const bad = tests.filter(({ status }) => status === "fail" || status === "warn" || status === "unknown");
  if (bad.length === 0) {
    const done = tests.filter(({ status }) => status === "pass").length;
    if (done === 0) throw notLooked("dcgmi skipped all its tests");
    return [pass(`${done} tests`)];
  }
  return bad.map(({ name, status, gpus, warnings }) => {
    const observed = `${name}${gpus.length === 0 ? "" : `, GPU ${gpus.join(", ")}`}: ${warnings[0] ?? status}`;
    return (status === "fail" ? failed : warn)(observed, { evidence: warnings, words: { index: gpus.join(",") } });
  });
}

const base = { group: "gpu", tier: "full", scope: "host", needs: ["gpu.driver"], who: "root", isBlocking: false, proof: "unproven" } as const;

export const GPU_WORK: readonly HostCheck[] = [
  {
    ...base,
    id: "gpu.h2d",
    title: "the speed of data to the GPUs",
    why: "batches and offloaded weights wait for it",
    fix: on("nvidia-smi -q -d PCI -i {index}", "look at gpu.pcie and numa.affinity; then reseat the GPU, change its riser"),
    verify: "nexadist diag --full --only gpu.h2d --host {host}",
    judge: judgeCopies,
  },
  {
    ...base,
    id: "gpu.burn",
    title: "speed and results of GPUs at work",
    why: "a slow one holds all up, a wrong one spoils the model without a word",
    fix: steps(
      "# slow: see gpu.throttle, gpu.power_limit, gpu.pcie",
      "# wrong: take GPU {index} of {host} out of the file (gpus:), and have it replaced by what this says:",
      on("dcgmi diag -r 4"),
    ),
    verify: "nexadist diag --full --only gpu.burn --host {host}",
    judge: judgeProducts,
  },
  {
    ...base,
    id: "gpu.p2p_copy",
    title: "copies from GPU to GPU",
    why: "NCCL hangs, or trains on garbage",
    fix: steps(
      'env: NCCL_P2P_DISABLE: "1" in the cluster file, for now',
      "# for good: ACS off (nexadist explain sys.acs), or the IOMMU off in the firmware of {host}",
    ),
    who: "you",
    verify: "nexadist diag --full --only gpu.p2p_copy --host {host}",
    judge: judgePeerCopies,
  },
  {
    ...base,
    id: "gpu.dcgm",
    tier: "deep",
    title: "NVIDIA's own diagnosis (dcgmi diag)",
    why: "it tests what nothing else can",
    fix: steps(on("dcgmi diag -r 2", "do what it says"), on("sudo nvidia-bug-report.sh", "for the vendor")),
    verify: on("dcgmi diag -r 2"),
    judge: judgeDcgm,
  },
];
