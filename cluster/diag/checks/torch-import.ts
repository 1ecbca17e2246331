/** Whether torch can be loaded: what is missing of it, or does not fit, shows only then. */

import * as z from "zod";
import type { HostCheck, HostProbe, Judgement } from "../check.ts";
import { on } from "../cure.ts";
import { isTorch } from "../ranks.ts";
import { failed, jsonOf, notLooked, pass, skip } from "../read.ts";
import { torchLook } from "./gpu-torch.ts";
import { pythonPath } from "./python-shape.ts";

const answer = z.union([
  z.object({ isElsewhere: z.literal(true) }),
  z.object({ version: z.string(), seconds: z.number() }),
  z.object({ code: z.number(), said: z.array(z.string()) }),
]);

function judge(probe: HostProbe): Judgement {
  const words = { python: pythonPath(probe) };
  if (probe.sections.torch_import === undefined) throw notLooked("ranks are about to import it");
  const found = jsonOf(probe, "torch_import", answer);
  if ("isElsewhere" in found) {
    const look = jsonOf(probe, "torch_cuda", torchLook);
    return look.torch === undefined ? failed(look.problem?.split("\n")[0] ?? "it cannot be imported", { words }) : pass(`torch ${look.torch}`);
  }
  if ("version" in found) return pass(`torch ${found.version}, in ${found.seconds.toFixed(1)} s`);
  const last = found.said.at(-1) ?? "";
  const how = found.code < 0 ? `the import was ended by signal ${-found.code}` : `the import ended with status ${found.code}`;
  return failed(last === "" ? how : last, { evidence: found.said, words });
}

export const TORCH_IMPORT: readonly HostCheck[] = [
  {
    group: "versions",
    tier: "quick",
    scope: "host",
    needs: ["torch.present"],
    id: "torch.import",
    title: "importing torch",
    why: "every rank does it first",
    fix: on("{python} -m pip install --force-reinstall torch", "a library that is missing or of another version; or the environment anew from its lock file"),
    who: "you",
    verify: on("{python} -c 'import torch'"),
    isBlocking: true,
    proof: "broken",
    judge: (probe, _, { spec }) => (isTorch(spec) ? judge(probe) : skip("the job is a command of its own")),
  },
];
