/** A host of its own Python and of the fake nvidia-smi, looked at by the real probe over the local transport. */

import { delimiter } from "node:path";
import type { TestContext } from "node:test";
import { CHECKS } from "../../cluster/diag/catalogue.ts";
import type { Check, HostProbe, Result, Tier } from "../../cluster/diag/check.ts";
import { GPU } from "../../cluster/diag/checks/gpu.ts";
import { GPU_CLUSTER } from "../../cluster/diag/checks/gpu-cluster.ts";
import { GPU_HEALTH } from "../../cluster/diag/checks/gpu-health.ts";
import { GPU_HOST } from "../../cluster/diag/checks/gpu-host.ts";
import { GPU_LINKS } from "../../cluster/diag/checks/gpu-links.ts";
import { GPU_LOAD } from "../../cluster/diag/checks/gpu-load.ts";
import { GPU_TORCH } from "../../cluster/diag/checks/gpu-torch.ts";
import { GPU_USE } from "../../cluster/diag/checks/gpu-use.ts";
import { GPU_WORK } from "../../cluster/diag/checks/gpu-work.ts";
import { judgeHosts } from "../../cluster/diag/judge.ts";
import type { GpuRequest, HostSpec } from "../../cluster/spec.ts";
import { probeHost } from "../../controller/diag/probe-host.ts";
import { openLocal } from "../../controller/reach/local-driver.ts";
import { type FakeGpus, fakeSmiOnPath, makeTempDir, writeControl } from "./fake-gpus.ts";
import { diagContext, healthyFacts, healthyProbe, hostSpec } from "./probes.ts";

export const GPU_CHECKS: readonly Check[] = [
  ...GPU,
  ...GPU_HEALTH,
  ...GPU_LOAD,
  ...GPU_USE,
  ...GPU_LINKS,
  ...GPU_HOST,
  ...GPU_TORCH,
  ...GPU_WORK,
  ...GPU_CLUSTER,
];

export const gpuHost = (name: string, gpus: GpuRequest): HostSpec => ({ ...hostSpec(name), gpus });

/** The sections of GPUs are the real probe's; all others are a healthy host's. `gpus` null: a host without nvidia-smi. */
export async function lookAtGpus(t: TestContext, host: HostSpec, gpus: FakeGpus | null, tier: Tier = "full"): Promise<HostProbe> {
  const path = gpus === null ? process.env.PATH : [await fakeSmiOnPath(t), process.env.PATH].join(delimiter);
  const control = await writeControl(await makeTempDir(t), gpus ?? { gpus: [] });
  const transport = openLocal(host.name, { env: { ...process.env, PATH: path, FAKE_NVIDIA_SMI: control } });
  t.after(() => transport.close());
  const { spec } = diagContext({ hosts: [host], code: { kind: "in-place", dir: "/nowhere" } });
  const probe = await probeHost(transport, host, spec, { tier, connectMs: 1, facts: healthyFacts(host.name) });
  const own = Object.entries(probe.sections).filter(([name]) => /^(?:smi_|gpu_|fabricmanager|iommu|acs|torch_cuda)/.test(name));
  return { ...healthyProbe(host.name), sections: { ...healthyProbe(host.name).sections, ...Object.fromEntries(own) } };
}

/** What all checks of GPUs say of these hosts, with what those need of others. */
export function judgeGpus(looks: readonly { readonly host: HostSpec; readonly probe: HostProbe }[]): readonly Result[] {
  const needed = CHECKS.filter(({ id }) => ["sys.klog", "python.present", "torch.present"].includes(id));
  const own = new Set(GPU_CHECKS.map(({ id }) => id));
  return judgeHosts([...needed, ...GPU_CHECKS], looks, diagContext({ hosts: looks.map(({ host }) => host) })).filter(({ id }) => own.has(id));
}
