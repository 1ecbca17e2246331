/** Whether the job's torch can use the GPUs that are there, with the driver that is there. */

import * as z from "zod";
import { textOf as cellText, numberOf } from "../../nvidia/gpu-row.ts";
import { compareVersions, readVersion } from "../../nvidia/version.ts";
import type { DiagContext, HostCheck, HostProbe, Judgement } from "../check.ts";
import { on, steps } from "../cure.ts";
import { isTorch } from "../ranks.ts";
import { cannotSay, failed, notLooked, pass, skip, warn } from "../read.ts";
import { answerOf, gpusOf, told } from "./gpu-read.ts";
import { jobPython, pythonPath, torchOf } from "./python-shape.ts";

const base = { group: "versions", tier: "quick", scope: "host", needs: ["gpu.driver", "torch.present"], unlessFailed: ["torch.import"], who: "you" } as const;
/** `wheel`: of torch for the CUDA of the driver. */
const REINSTALL = on("{python} -m pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/{wheel}");

export const torchLook = z.object({
  torch: z.string().optional(),
  cuda: z.string().nullable().optional(),
  arches: z.array(z.string()).optional(),
  isAvailable: z.boolean().optional(),
  count: z.number().optional(),
  capabilities: z.array(z.array(z.number())).optional(),
  sums: z.array(z.number()).optional(),
  problem: z.string().optional(),
  isBusy: z.boolean(),
  seconds: z.number(),
  warnings: z.array(z.string()),
});

/** CUDA versions that pip indexes of torch exist for, oldest first: download.pytorch.org/whl. */
const WHEELS = ["11.8", "12.1", "12.4", "12.6", "12.8", "12.9", "13.0"];

/** The newest that the driver serves: "13.2" → cu130. One older than all gets the oldest. */
function wheelOf(cuda: string): string {
  const served = WHEELS.filter((one) => compareVersions(one, cuda) <= 0).at(-1) ?? WHEELS[0] ?? "";
  return `cu${served.replace(".", "")}`;
}

function driverCuda(probe: HostProbe): string {
  const { out } = answerOf(probe, "smi_version");
  const { cuda } = readVersion(out);
  if (cuda === null) throw cannotSay("nvidia-smi does not say which CUDA the driver serves");
  return cuda;
}

function judgeCuda(probe: HostProbe, context: DiagContext): Judgement {
  if (!isTorch(context.spec)) return skip("the job is a command of its own");
  const look = told(probe, "torch_cuda", torchLook);
  const evidence = look.warnings;
  const words = { python: pythonPath(probe), wheel: wheelOf(driverCuda(probe)) };
  if (look.torch === undefined) return failed(look.problem ?? "torch cannot be imported", { evidence, words });
  if (look.cuda === null || look.cuda === undefined) return failed(`torch ${look.torch} was built without CUDA`, { expected: "a build for CUDA", words });
  if (look.problem !== undefined)
    return failed(look.problem.split("\n")[0]?.slice(0, 200) ?? "", { evidence: [look.problem.slice(0, 400), ...evidence], words });
  if (look.isAvailable !== true) return failed(evidence[0] ?? "torch finds no GPU that it can use", { evidence, words });
  if (look.isBusy) throw notLooked(`torch finds ${look.count ?? 0} GPUs; in use, so nothing is computed on them`);
  const wrong = (look.sums ?? []).findIndex((sum) => sum !== 64 ** 3);
  if (wrong >= 0)
    return failed(`GPU ${wrong} multiplies wrongly: ${look.sums?.[wrong]}`, { expected: String(64 ** 3), words: { ...words, index: String(wrong) } });
  const observed = `${look.count ?? 0} GPU${look.count === 1 ? "" : "s"}, ready in ${look.seconds.toFixed(1)} s`;
  return look.seconds > 20 ? warn(observed, { expected: "under 20 s", words }) : pass(observed);
}

/** Kernels for sm_80 run on 8.6 too; compute_80 is compiled on first use. */
function judgeArch(probe: HostProbe): Judgement {
  const look = told(probe, "torch_cuda", torchLook);
  const arches = look.arches ?? [];
  if (arches.length === 0) throw notLooked("torch has no kernels for CUDA, see torch.cuda");
  const capabilities = new Set(
    gpusOf(probe).rows.flatMap((row) => ("v" in cellText(row, "compute_cap") && "v" in numberOf(row, "compute_cap") ? [String(row.cells["compute_cap"])] : [])),
  );
  if (capabilities.size === 0) throw notLooked("the driver does not tell the GPUs' capability");
  const known = arches.flatMap((arch) => {
    const found = /^(sm|compute)_(\d{1,2})(\d)[a-z]?$/.exec(arch);
    return found === null ? [] : [{ kind: found[1], major: Number(found[2]), minor: Number(found[3]) }];
  });
  const words = { python: pythonPath(probe), wheel: wheelOf(driverCuda(probe)) };
  for (const capability of capabilities) {
    const [major = 0, minor = 0] = capability.split(".").map(Number);
    if (known.some((arch) => arch.kind === "sm" && arch.major === major && arch.minor <= minor)) continue;
    const isCompiled = known.some((arch) => arch.kind === "compute" && (arch.major < major || (arch.major === major && arch.minor <= minor)));
    const observed = `torch ${look.torch ?? ""} has no kernels for capability ${capability} (sm_${major}${minor})`;
    return isCompiled
      ? warn(`${observed}; they are compiled when first used`, { words })
      : failed(observed, { expected: `sm_${major}${minor} among ${arches.join(" ")}`, words });
  }
  return pass(`kernels for ${[...capabilities].join(", ")}`);
}

function judgeDriver(probe: HostProbe, context: DiagContext): Judgement {
  if (!isTorch(context.spec)) return skip("the job is a command of its own");
  const python = jobPython(probe);
  if (python.torch === null) throw notLooked("torch's files do not tell its CUDA");
  const wants = python.torch.cuda;
  const version = torchOf(python) ?? "?";
  const words = { python: pythonPath(probe), wheel: wheelOf(driverCuda(probe)) };
  if (wants === null)
    return warn(`torch ${version} was built without CUDA: ranks there compute on the CPU`, {
      expected: `a build for CUDA, at most ${driverCuda(probe)}`,
      words,
    });
  const serves = driverCuda(probe);
  const observed = `torch ${version} wants CUDA ${wants}, the driver serves ${serves}`;
  if (compareVersions(serves, wants) >= 0) return pass(observed);
  const isSameMajor = serves.split(".")[0] === wants.split(".")[0];
  return isSameMajor
    ? warn(`${observed}: it works, but nothing can be compiled there`, { words })
    : failed(observed, { expected: `a driver for CUDA ${wants.split(".")[0]}`, words });
}

export const GPU_TORCH: readonly HostCheck[] = [
  {
    ...base,
    id: "torch.driver_cuda",
    title: "the CUDA of the driver and of torch",
    why: "torch then finds no GPU",
    fix: steps(REINSTALL, on("sudo apt install nvidia-driver-590-server", "or, by root, a newer driver; then: sudo reboot")),
    verify: on("{python} -c 'import torch; print(torch.cuda.is_available())'"),
    // A build without CUDA only warns: gloo trains on the CPU, where that is meant.
    isBlocking: true,
    proof: "sample",
    judge: (probe, _, context) => judgeDriver(probe, context),
  },
  {
    ...base,
    id: "torch.cuda",
    title: "torch on the GPUs",
    why: "what fails here fails in every rank",
    fix: steps(REINSTALL, on("sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm", "instead, if it came with a suspend")),
    verify: "nexadist diag --only torch.cuda --host {host}",
    isBlocking: true,
    proof: "unproven",
    judge: (probe, _, context) => judgeCuda(probe, context),
  },
  {
    ...base,
    id: "torch.arch",
    title: "kernels of torch for these GPUs",
    why: "else: no kernel image is available for execution on the device",
    fix: REINSTALL,
    verify: on("{python} -c 'import torch; print(torch.cuda.get_arch_list())'"),
    isBlocking: true,
    proof: "unproven",
    judge: judgeArch,
  },
];
