/** docs/findings.md from the catalogue: what each problem is, why, and what to do. */

import { FINDINGS } from "../../cluster/findings/catalogue.ts";
import type { Finding } from "../../cluster/findings/finding.ts";
import { causeOf, ROLE, remedyOf } from "../../cluster/findings/words.ts";
import { anchor, cell, table } from "./markdown.ts";

const FAMILY: Readonly<Record<Finding["family"], string>> = {
  rendezvous: "Rendezvous and store",
  torchrun: "torchrun and its workers",
  "torch-nccl": "torch's side of NCCL",
  nccl: "NCCL",
  gloo: "gloo",
  cuda: "CUDA and the driver",
  kernel: "The kernel's log",
  host: "Hosts, data, tools",
  telemetry: "Seen in what hosts and ranks tell while a run goes on",
};

function section(family: Finding["family"]): string {
  const rows = FINDINGS.filter((finding) => finding.family === family).map((finding) => [
    `${anchor(finding.code)}\`${finding.code}\`${finding.isFinal ? " (final)" : ""}`,
    cell(finding.title),
    cell(causeOf(finding)),
    cell(remedyOf(finding)),
    finding.role,
  ]);
  return `## ${FAMILY[family]}\n\n${table(["code", "what", "why", "what to do", "role"], rows)}\n`;
}

export const renderFindings = (): string => `<!-- Made by scripts/gen-docs.ts from cluster/findings: change that and run it. -->

# Findings

Problems that nexadist knows by the text they show themselves by, in logs of ranks and launchers and in the kernel's. \`nexadist explain CODE\` prints one,
\`nexadist explain FILE\` names those that a log shows; neither needs a host or a network. Errors of nexadist itself: [errors.md](errors.md).

${Object.entries(ROLE)
  .map(([role, meaning]) => `- \`${role}\`: ${meaning}`)
  .join("\n")}
- (final): another attempt would end the same way, so there is none.

${(Object.keys(FAMILY) as Finding["family"][]).map(section).join("\n")}`;
