/** A host whose `setup` may choose the Python: nothing that was found without it keeps a run back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKS } from "../../../cluster/diag/catalogue.ts";
import { judgeHosts, type Look } from "../../../cluster/diag/judge.ts";
import { diagContext, healthyProbe, healthySections, hostSpec, json, withSection } from "../../support/probes.ts";

const bare = json({ ...JSON.parse(healthySections().python?.out ?? "{}"), packages: {}, torch: null });
/** gpu-a has no torch on its own PATH, gpu-b and gpu-c do. */
const judged = (setup: string | undefined, python?: string) => {
  const looks = ["gpu-a", "gpu-b", "gpu-c"].map((name): Look => {
    const host = { ...hostSpec(name), ...(setup === undefined ? {} : { setup }), ...(python === undefined ? {} : { python }) };
    return { host, probe: name === "gpu-a" ? withSection(healthyProbe(name), "python", bare) : healthyProbe(name) };
  });
  return judgeHosts(CHECKS, looks, diagContext()).filter(({ host }) => host === "gpu-a");
};
const bad = (results: ReturnType<typeof judged>): readonly string[] =>
  results.filter(({ status }) => status === "fail" || status === "warn").map(({ id }) => id);

test("torch that only setup brings is not missed; without setup, or where the file names the python, it is", () => {
  assert.deepEqual(bad(judged(undefined)), ["torch.present"]);
  assert.deepEqual(bad(judged("export A=1", "/usr/bin/python3")), ["torch.present"]);
  const results = judged("conda activate train");
  assert.deepEqual(bad(results), []);
  for (const id of ["python.present", "torch.present", "ver.torch"])
    assert.equal(results.find((one) => one.id === id)?.status, "skip", `${id} is not green either`);
});
