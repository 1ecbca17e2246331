/** The job's Python as the real probe finds it: the one that `setup` chooses, with the file's variables; and whether torch can be loaded in it. */

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CHECKS } from "../../../cluster/diag/catalogue.ts";
import type { HostProbe, Result } from "../../../cluster/diag/check.ts";
import { judgeHosts } from "../../../cluster/diag/judge.ts";
import type { HostSpec } from "../../../cluster/spec.ts";
import { probeHost } from "../../../controller/diag/probe-host.ts";
import { openLocal } from "../../../controller/reach/local-driver.ts";
import { makeTempDir } from "../../support/fake-gpus.ts";
import { diagContext, hostSpec } from "../../support/probes.ts";

/** A directory whose bin/python sees a torch of this text; as after an installation that went wrong half-way, where it raises. */
async function environment(t: TestContext, text: string): Promise<string> {
  const root = await makeTempDir(t);
  mkdirSync(join(root, "bin"));
  mkdirSync(join(root, "lib/torch"), { recursive: true });
  writeFileSync(join(root, "bin/python"), `#!/bin/sh\nPYTHONPATH=${root}/lib exec python3 "$@"\n`, { mode: 0o755 });
  writeFileSync(join(root, "lib/torch/version.py"), "__version__ = '2.9.1'\ncuda = None\n");
  writeFileSync(join(root, "lib/torch/__init__.py"), text);
  return root;
}

async function look(t: TestContext, more: Partial<HostSpec>, isAboutToLaunch = false): Promise<{ probe: HostProbe; of: (id: string) => Result | undefined }> {
  const { python: _, ...rest } = hostSpec("gpu-a");
  const host: HostSpec = { ...rest, gpus: { kind: "none", slots: 1 }, ...more };
  const transport = openLocal(host.name, { env: process.env });
  t.after(() => transport.close());
  const { spec } = diagContext({ hosts: [host], code: { kind: "none" }, paths: {} });
  const probe = await probeHost(transport, host, spec, { tier: "quick", connectMs: 1, isAboutToLaunch });
  const results = judgeHosts(CHECKS, [{ host, probe }], { spec, tier: "quick", now: Date.now() });
  return { probe, of: (id) => results.find((result) => result.id === id) };
}

const GOOD = "__version__ = '2.9.1'\n";
const BROKEN =
  "import os\nif os.environ.get('CUDA_LIBRARIES') != 'there': raise ImportError('libcudart.so.12: cannot open shared object file')\n__version__ = '2.9.1'\n";

test("a torch that is there and cannot be loaded keeps READY away, with what the import said", async (t) => {
  const root = await environment(t, BROKEN);
  const { of } = await look(t, { python: join(root, "bin/python") });
  assert.equal(of("torch.present")?.status, "pass");
  assert.deepEqual([of("torch.import")?.status, of("torch.import")?.observed], ["fail", "ImportError: libcudart.so.12: cannot open shared object file"]);
  assert.equal(of("torch.import")?.words?.python, join(root, "bin/python"), "the cure is for what the file names, not for what that wrapper starts");
  const withVariable = await look(t, { python: join(root, "bin/python"), env: { CUDA_LIBRARIES: "there" } });
  assert.equal(withVariable.of("torch.import")?.status, "pass", "ranks have the file's variables");
});

test("a launch does not import torch twice, and says that it was not looked at", async (t) => {
  const { probe, of } = await look(t, { python: join(await environment(t, BROKEN), "bin/python") }, true);
  assert.ok(!("torch_import" in probe.sections));
  assert.equal(of("torch.import")?.status, "skip");
});

test("with `setup` and no python: the one that it chooses is looked at; a setup that fails is no pass", async (t) => {
  const root = await environment(t, GOOD);
  const { probe, of } = await look(t, { setup: `export PATH=${root}/bin:$PATH\necho noise` });
  assert.equal(probe.facts.python?.path, join(root, "bin/python"));
  assert.match(of("python.present")?.observed ?? "", /after `setup`$/);
  assert.deepEqual([of("torch.present")?.status, of("torch.import")?.status], ["pass", "pass"]);

  const bad = await look(t, { setup: "false" });
  assert.match(`${bad.of("python.present")?.status} ${bad.of("python.present")?.observed}`, /^error .*`setup` ended with status 97/);
  assert.notEqual(bad.of("torch.import")?.status, "pass");

  const launching = await look(t, { setup: `touch ${root}/ran` }, true);
  assert.equal(launching.of("python.present")?.status, "skip");
  assert.throws(() => rmSync(join(root, "ran")), "the launch runs it itself");
});
