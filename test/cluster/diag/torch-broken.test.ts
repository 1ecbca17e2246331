/** A torch that is installed and cannot be loaded: one finding of that host, and nothing that follows from it is said again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKS } from "../../../cluster/diag/catalogue.ts";
import type { HostProbe, Result, Section } from "../../../cluster/diag/check.ts";
import { judgeHosts } from "../../../cluster/diag/judge.ts";
import { diagContext, HOSTS, healthyProbe, healthySections, hostSpec, json, section } from "../../support/probes.ts";

const python = JSON.parse(healthySections().python?.out ?? "{}");
const torchCuda = { isBusy: false, seconds: 0.1, warnings: [], problem: "ImportError: no" };
/** Its own files say nothing; the metadata lacks the local part. */
const broken: Readonly<Record<string, Section>> = {
  python: json({ ...python, torch: null, torchProblem: "FileNotFoundError: version.py" }),
  smi_list: section("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)\n"),
  smi_version: json({ code: 0, out: "CUDA Version        : 12.8\n", err: "", ms: 40 }),
  torch_cuda: json(torchCuda),
};
const look = (more: Readonly<Record<string, Section>>) => {
  const probes = HOSTS.map((name): HostProbe => {
    const probe = healthyProbe(name);
    return name === "gpu-b" ? { ...probe, sections: { ...probe.sections, ...broken, ...more } } : probe;
  });
  const looks = probes.map((probe) => ({ host: hostSpec(probe.host), probe }));
  return judgeHosts(CHECKS, looks, diagContext()).filter(({ id }) => /^(torch|ver)\./.test(id));
};
const bad = (results: readonly Result[]): readonly string[] =>
  results.flatMap(({ id, host, status }) => (status === "fail" || status === "warn" || status === "error" ? [`${status} ${id} ${host}`] : []));
const statusOf = (results: readonly Result[], wanted: string): string | undefined => results.find(({ id, host }) => id === wanted && host === "gpu-b")?.status;

test("torch that cannot be imported is the one finding", () => {
  const results = look({ torch_import: json({ code: 1, said: ["ImportError: libcudart.so.12: cannot open shared object file"] }) });
  assert.deepEqual(bad(results), ["fail torch.import gpu-b"]);
  for (const id of ["torch.driver_cuda", "torch.cuda", "torch.arch", "ver.torch", "ver.cuda"]) assert.equal(statusOf(results, id), "skip", id);
});

test("where only the package's metadata is known, versions are compared without their local part, and nothing is said of the CUDA", () => {
  const { torch_import: _, ...rest } = healthyProbe("gpu-b").sections;
  const probes = HOSTS.map((name): HostProbe => {
    const probe = healthyProbe(name);
    return name === "gpu-b" ? { ...probe, sections: { ...rest, ...broken, torch_cuda: section("") } } : probe;
  });
  const results = judgeHosts(
    CHECKS,
    probes.map((probe) => ({ host: hostSpec(probe.host), probe })),
    diagContext(),
  );
  assert.deepEqual([statusOf(results, "torch.import"), statusOf(results, "ver.torch"), statusOf(results, "torch.driver_cuda")], ["skip", "pass", "skip"]);
  const older = look({ python: json({ ...python, torch: null, packages: { ...python.packages, torch: "2.8.0" } }) });
  assert.deepEqual(bad(older), ["fail ver.torch gpu-b"], "another version is still one");
});
