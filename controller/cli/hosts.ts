/** `hosts`: which are reached and how, and what is there. Read-only: leaves nothing behind. */

import { withFile } from "../../cluster/diag/with-file.ts";
import { EXIT } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { HostFacts } from "../../cluster/spec.ts";
import { formatTorch } from "../../cluster/torch.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { formatTable } from "../../cluster/view/table.ts";
import { lookAt } from "../reach/bootstrap.ts";
import type { Run } from "./commands.ts";
import { loadHosts } from "./load-cluster.ts";
import { onHosts, type Reached, withHost } from "./reach-host.ts";

export type Found = { readonly facts: HostFacts; readonly driver: string; readonly why: string };

/** Like GPUs on one line: "4 x NVIDIA H100 80GB". */
function gpusOf(facts: HostFacts): string {
  if (facts.gpus === null) return facts.gpuProblem === "" ? "none" : `none (${facts.gpuProblem})`;
  const counts = new Map<string, number>();
  for (const gpu of facts.gpus) counts.set(gpu.name, (counts.get(gpu.name) ?? 0) + 1);
  return [...counts].map(([name, n]) => `${n} x ${name}`).join(", ") || "none";
}

function rowOf(each: Reached<Found>): readonly string[] {
  if (!each.ok && each.problem.code === "NO_PYTHON") return [each.host.name, "yes", "-", "-", "-", "none", "-", "-"]; // SSH works, what looks needs a Python
  if (!each.ok) return [each.host.name, "no", "-", "-", "-", "-", "-", "-"];
  const { facts, driver, why } = each.value;
  const python = facts.python === null ? `none (${facts.pythonProblem})` : facts.python.version;
  return [
    each.host.name,
    "yes",
    `${facts.os} ${facts.arch}`,
    gpusOf(facts),
    facts.node?.version ?? "none",
    python,
    formatTorch(facts.python?.torch),
    driver === "local" ? "local" : `${driver} (${why})`,
  ];
}

export const hosts: Run = async (context, [file], options) => {
  const { hosts: all } = loadHosts(context, file, options);
  context.say(`looking at ${all.length} host${all.length === 1 ? "" : "s"}`);
  const found = await onHosts(all, (host) =>
    withHost(
      host,
      context,
      options,
      async (transport): Promise<Found> => ({ facts: await lookAt(transport, host), driver: transport.driver, why: transport.why }),
    ),
  );
  const missing = found.filter((each) => !each.ok);
  if (context.json) {
    context.printJson({
      hosts: found.map((each) => ({ host: each.host.name, ...(each.ok ? { isReached: true, ...each.value } : { isReached: false, problem: each.problem }) })),
    });
  } else {
    const rows = found.map((each) => rowOf(each).map(sanitiseWord));
    for (const line of formatTable([["HOST", "REACHED", "OS", "GPUS", "NODE", "PYTHON", "TORCH", "SSH"], ...rows])) context.print(line);
    for (const each of found) {
      if (each.ok && each.value.facts.stateNote !== "") context.print(`${sanitiseWord(each.host.name)}: ${sanitiseWord(each.value.facts.stateNote)}`);
      if (each.ok) continue;
      process.stderr.write(`${aboutHost(each.host.name, each.problem.message)}\n`);
      if (each.problem.hint !== "") process.stderr.write(`  try: ${sanitiseWord(withFile(each.problem.hint, context.named))}\n`);
    }
  }
  return missing.length > 0 ? EXIT.unreachable : EXIT.ok;
};
