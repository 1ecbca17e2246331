/** The text of a dry run: what it says, what it never says. */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ENV_DEFAULTS } from "../../../cluster/launch/defaults.ts";
import { defaultsMarkdown } from "../../../cluster/launch/defaults-doc.ts";
import { dryRunJson, formatDryRun, formatPlanJson, planDryRun } from "../../../cluster/launch/dry-run.ts";
import { planAttempt } from "../../../cluster/launch/plan.ts";
import { modulesToAsk } from "../../../cluster/launch/program.ts";
import type { PlanHost } from "../../../cluster/launch/types.ts";
import type { HostSpec, RunSpec } from "../../../cluster/spec.ts";
import { placed, someFacts, someHost, somePlan, someSpec } from "./fixtures.ts";

const HOSTS = [someHost("gpu-a", { address: "10.0.0.1" }), someHost("gpu-b", { address: "10.0.0.2" })];
const textOf = (over: Partial<RunSpec>, hosts: readonly HostSpec[] = HOSTS): string => formatDryRun(planDryRun(someSpec({ ...over, hosts }), () => null));

test("without a look at the hosts it says what is unknown", () => {
  const text = textOf({ paths: { scratch: "/scratch" } });
  assert.match(text, /# host gpu-a {2}ranks 0-3 of 8, launcher torchrun/);
  assert.match(text, /# host gpu-b {2}ranks 4-7 of 8/);
  assert.match(text, /# not asked, so unknown: which python/);
  assert.match(text, /# nexadist makes \/scratch\/train_20251101_143200\/rank_N there/);
  assert.match(text, /export PYTHONUNBUFFERED=1 {2}# a line is in the log/);
  assert.match(text, /\n {2}python -m torch\.distributed\.run --nnodes=2 .* train\.py --lr 3e-4\n/);
  assert.doesNotMatch(text, /prologue|NEXADIST|IFNAME=|export OMP_NUM_THREADS|log-dir/);
});

test("a python of the file that starts at the home there", () => {
  assert.match(textOf({}, [someHost("a", { python: "envs/my env" })]), /"\$HOME"\/'envs\/my env\/bin\/python' -m torch/);
  assert.match(textOf({}, [someHost("a", { python: "/opt/py/bin/python3.12" })]), /\n {2}\/opt\/py\/bin\/python3\.12 -m torch/);
});

test("the smoke trainer asks for its place instead of failing in torchrun", () => {
  const text = textOf({ job: { kind: "smoke", args: [] } });
  assert.match(text, /: "\$\{NEXADIST_BUNDLE:\?/);
  assert.match(text, /"\$NEXADIST_BUNDLE"\/smoke_train\.py/);
});

test("setup comes first, verbatim, and reaches the program", () => {
  const setup = "FROM_SETUP=$(cat <<'X'\nline $1\nX\n)\nexport FROM_SETUP RANK=9";
  const text = textOf({ launcher: "direct", job: { kind: "command", argv: ["sh", "-c", 'echo "$FROM_SETUP $RANK $ODD"'] }, env: { ODD: "a\nb'c" } }, [
    someHost("a", { setup, gpus: { kind: "none", slots: 1 } }),
  ]);
  assert.equal(execFileSync("bash", ["-c", text], { encoding: "utf8" }), "line $1 0 a\nb'c\n");
});

test("a line of setup that fails ends the paste as it ends the start; in a function or a sourced file it does not", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nxd-paste-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "sourced.sh"), "false\nexport SOURCED=1\n");
  const pasted = (setup: string): ReturnType<typeof spawnSync> => {
    const job = { kind: "command", argv: ["sh", "-c", 'echo "ran $SOURCED"; exit 0'] } as const;
    const text = textOf({ launcher: "direct", job }, [someHost("a", { setup, gpus: { kind: "none", slots: 1 } })]);
    return spawnSync("bash", ["-c", text], { encoding: "utf8" });
  };
  const failed = pasted("sh -c 'exit 7'\necho went on");
  assert.deepEqual([failed.status, failed.stdout], [7, ""], "as the agent: status of the line, nothing after it");
  const well = pasted(`f() { false; true; }\nf\n. ${dir}/sourced.sh\nfalse || true\nif false; then :; fi`);
  assert.deepEqual([well.status, well.stdout], [0, "ran 1\n"]);
});

test("no block of a failing rank succeeds", () => {
  const text = textOf({ launcher: "direct", job: { kind: "command", argv: ["sh", "-c", 'exit "$RANK"'] } }, [
    someHost("a", { gpus: { kind: "none", slots: 2 } }),
  ]);
  assert.throws(() => execFileSync("bash", ["-c", text], { stdio: "ignore" }));
});

test("each part of the command has its reason, above the line to paste and in the JSON", () => {
  const text = textOf({});
  assert.match(text, /\n {2}# {3}--local-addr=10\.0\.0\.1 {2}becomes MASTER_ADDR/);
  assert.match(text, /\n {2}# {3}--local-addr=zz-node-0001 {2}c10d numbers hosts in the order of this text.*behind 10\.0\.0\.1.*never dialled/);
  assert.match(text, /\n {2}# {3}--rdzv-conf=is_host=1,join_timeout=600,read_timeout=600 {2}this host holds the store.*timeouts\.start/);
  assert.match(text, /\n {2}# {3}--rdzv-endpoint=10\.0\.0\.1:29500 {2}.*`up` takes a free port/);
  assert.match(text, /\n {2}# {3}--max-restarts=0 {2}a failure ends the attempt on all hosts/);
  assert.doesNotMatch(text, /no-python|prologue/);
  for (const launcher of ["torchrun", "torchrun-static", "accelerate", "direct", "command"] as const) {
    const plan = planDryRun(someSpec({ launcher, hosts: HOSTS, job: { kind: "command", argv: ["echo", "a\n# b'"] } }), () => null);
    for (const host of (dryRunJson(plan) as { hosts: { processes: { command: string; parts: { text: string; reason: string }[] }[] }[] }).hosts) {
      for (const { command, parts } of host.processes) {
        assert.equal(parts.map((part) => part.text).join(" "), command, launcher);
        for (const { reason } of parts) assert.match(reason, /^[^\n]{12,}$/);
      }
    }
  }
});

test("a reason breaks no paste, whatever the job's words hold", () => {
  const odd = "a\n'b' # $(exit 9)\n";
  const text = textOf({ launcher: "direct", job: { kind: "command", argv: ["printf", "%s", odd] } }, [someHost("a", { gpus: { kind: "none", slots: 2 } })]);
  assert.equal(execFileSync("sh", ["-c", text], { encoding: "utf8" }), odd + odd);
});

test("a real plan as JSON keeps argv and hides secrets", () => {
  const plan = planAttempt(somePlan({ secretNames: { "*": ["TOKEN"] } }, [placed(someHost("a", { address: "10.0.0.1" }))]));
  const json = formatPlanJson(plan);
  assert.match(json, /"\$TOKEN"/);
  assert.match(json, /prologue\.py/);
  assert.ok(!("TOKEN" in (plan.hosts[0]?.spawns[0]?.env ?? {})), "the agent puts it in");
});

test("a python that lacks what the launcher imports is refused, unless setup may bring it", () => {
  const without = someFacts({ python: { path: "/usr/bin/python3", version: "3.11", torch: null, accelerate: null } });
  const asked = (over: Partial<RunSpec>, host: Partial<HostSpec> = {}) =>
    planDryRun(someSpec({ ...over, hosts: [someHost("a", { address: "10.0.0.1", ...host })] }), () => without);
  assert.throws(() => asked({}), /a: \/usr\/bin\/python3 has no torch/);
  assert.throws(() => asked({ launcher: "direct", job: { kind: "smoke", args: [] } }), /has no torch/);
  assert.doesNotThrow(() => asked({}, { setup: "conda activate x" }));
  assert.doesNotThrow(() => asked({ launcher: "direct" }));
});

test("a setup chooses the python when it runs: a dry run names none of its own, and pasted it takes the one that `up` takes", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nxd-paste-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ["a/python", "a/python3", "b/python3"]) {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), `#!/bin/sh\necho "${name} $*"\n`, { mode: 0o755 });
  }
  const facts = someFacts({ python: { path: "/usr/bin/python3", version: "3.11", torch: "2.1.0+cpu", accelerate: null } });
  const asked = (setup: string, over: Partial<HostSpec> = {}) =>
    planDryRun(someSpec({ hosts: [someHost("a", { address: "10.0.0.1", setup, ...over })] }), () => facts);
  const plan = asked(`export PATH=${dir}/a:/usr/bin:/bin`);
  const text = formatDryRun(plan);
  assert.doesNotMatch(text, /\/usr\/bin\/python3|CPU only|the python that was found there/);
  assert.match(text, /# {3}"\$\(command -v python \|\| command -v python3\)" -m torch\.distributed\.run {2}.*after `setup`/);
  const run = (pasted: string): string => execFileSync("bash", ["-c", pasted], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  assert.match(run(text), /^a\/python -m torch/);
  assert.match(run(formatDryRun(asked(`export PATH=${dir}/b`))), /^b\/python3 -m torch/);
  assert.match(formatDryRun(asked("export A=1", { python: "/usr/bin/python3" })), /\n {2}\/usr\/bin\/python3 -m torch/, "a python of the file stays");
});

test("the prepared python is refused for what it lacks, with setup and without; not for what it did not say", () => {
  const host = someHost("a", { address: "10.0.0.1", setup: "export A=1" });
  const plan = (over: Partial<PlanHost>, spec: Partial<RunSpec> = {}, of: HostSpec = host) =>
    planAttempt(somePlan(spec, [placed(of, { python: "/usr/bin/python3", ...over })]));
  assert.throws(() => plan({ lacks: ["torch"] }), /a: \/usr\/bin\/python3, first on the PATH that a login shell and `setup` leave, has no torch/);
  assert.throws(() => plan({ lacks: ["torch"] }), { code: "MODULE_MISSING", hint: /set `python` of a/ });
  assert.throws(() => plan({ lacks: ["accelerate"] }, { launcher: "accelerate" }), /has no accelerate/);
  assert.throws(() => plan({ lacks: ["torch"] }, {}, { ...host, python: "/usr/bin/python3" }), /a: \/usr\/bin\/python3 has no torch/);
  const { setup: _, ...plain } = host;
  assert.throws(() => plan({ lacks: ["torch"] }, {}, plain), /a: \/usr\/bin\/python3 has no torch/, "another than the look found");
  for (const lacks of [null, [], ["accelerate"]]) assert.doesNotThrow(() => plan({ lacks }), String(lacks));
  assert.doesNotThrow(() => plan({ lacks: ["torch"] }, { env: { PYTHONPATH: "/opt/site" } }));
  assert.doesNotThrow(() => plan({ lacks: ["torch"] }, { launcher: "direct" }));
  const without = someFacts({ python: { path: "/usr/bin/python3", version: "3.11", torch: null, accelerate: null } });
  assert.doesNotThrow(() => plan({ lacks: [], facts: without }, {}, plain), "its word counts more than the look's");

  const spec = someSpec({ launcher: "accelerate", hosts: [host] });
  assert.deepEqual(modulesToAsk(spec, host, someFacts()), ["torch", "accelerate"]);
  assert.deepEqual(modulesToAsk(spec, plain, someFacts()), [], "the look has told, and nothing costs time");
  assert.deepEqual(modulesToAsk(spec, plain, without), ["torch", "accelerate"]);
  assert.deepEqual(modulesToAsk({ ...spec, launcher: "command" }, host, without), []);
});

test("every default is in the documentation, with a value and a reason", () => {
  const table = defaultsMarkdown();
  for (const { name } of ENV_DEFAULTS) assert.match(table, new RegExp(`\\| \`${name}\` \\| \`[^\`]+\` \\| .+ \\| .{20,} \\|`), name);
});
