/** A cluster file and what is laid over it, to the run that it asks for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DETECTION, RECOVERY } from "../../../cluster/config/recovery.ts";
import { refused, resolve, resolved } from "./resolving.ts";

const USERS_OWN = `cluster:
  - host: 100.66.164.18
    gpus: 4
  - host: 100.66.164.19
    gpus: 4
backend: torch.distributed
rdzv: 100.66.164.18:29500
`;
const AB = "cluster:\n  - host: a\n  - host: b\n";

test("the user's own file, with the defaults of what it does not say", () => {
  const { spec, secrets } = resolved(USERS_OWN);
  assert.deepEqual(spec, {
    schema: 1,
    run: "c_1",
    name: "c",
    file: "/proj/conf/c.yaml",
    hosts: ["100.66.164.18", "100.66.164.19"].map((name) => ({ name, transport: "ssh", address: name, env: {}, gpus: { kind: "count", count: 4 } })),
    minHosts: 2,
    launcher: "torchrun",
    per: "gpu",
    rdzv: { host: "100.66.164.18", port: 29500 },
    rdzvPorts: null,
    job: { kind: "smoke", args: [] },
    accelerateConfig: null,
    env: {},
    secretNames: {},
    timeouts: { connectMs: 30_000, startMs: 600_000, stopGraceMs: 30_000, runMs: null, ...DETECTION },
    ...RECOVERY,
    logs: { quotaBytes: 2 ** 31 },
    paths: {},
    tags: [],
    code: { kind: "none" },
  });
  assert.deepEqual(secrets, {});
});

test("flags over NEXADIST_* over the file over the person's own file over defaults, and each value knows its origin", () => {
  const { spec, effective } = resolved(`${AB}timeouts: {connect: 3s, start: 3m}\n`, {
    user: "timeouts: {connect: 1s, start: 1m, stop_grace: 1m, run: 1h}\nlogs: {quota: 1GiB}\n",
    environment: { NEXADIST_TIMEOUTS_CONNECT: "4s", NEXADIST_TIMEOUTS_STOP_GRACE: "4m", NEXADIST_STATE_DIR: "/x" },
    set: ["timeouts.connect=5s"],
    name: "mine",
  });
  assert.deepEqual(spec.timeouts, { connectMs: 5000, startMs: 180_000, stopGraceMs: 240_000, runMs: 3_600_000, ...DETECTION });
  assert.equal(spec.name, "mine");
  const origin = Object.fromEntries(effective.rows.map((row) => [row.key, row.origin]));
  assert.equal(origin["timeouts.connect"], "--set");
  assert.equal(origin["timeouts.stop_grace"], "NEXADIST_TIMEOUTS_STOP_GRACE");
  assert.equal(origin["timeouts.start"], "conf/c.yaml:4:32");
  assert.equal(origin["timeouts.run"], "~/config.yaml:1:57");
  assert.equal(origin["name"], "--name");
  assert.equal(origin["backend"], "default");
});

test("--set reaches any key: entries by index, lists, variables byte for byte", () => {
  const { spec } = resolved(AB, {
    set: ["cluster.0.gpus=[1, GPU-12345678]", "cluster[1].gpus=2", "env.MSG= a: b # c", "env.E=", "tags=[x, 007]", "defaults.env.Q='q'"],
  });
  assert.deepEqual(
    spec.hosts.map((host) => host.gpus),
    [
      { kind: "list", ids: ["1", "GPU-12345678"] },
      { kind: "count", count: 2 },
    ],
  );
  assert.deepEqual(spec.env, { MSG: " a: b # c", E: "" });
  assert.deepEqual(spec.tags, ["x", "007"]);
  assert.deepEqual(spec.hosts[0]?.env, { Q: "'q'" });
});

test("--set that means nothing is refused where it is wrong", () => {
  assert.match(refused(AB, { set: ["timeouts.conect=5s"] }), /^--set:1:10: timeouts\.conect: unknown key\n.*\n.*\n.*did you mean `connect`/);
  assert.match(refused(AB, { set: ["cluster.7.gpus=1"] }), /^--set:1:11: cluster\[7\]\.gpus: there is no such item/);
  assert.match(refused(AB, { set: ["cluster=other.yaml"] }), /^--set:1:9: cluster: an inventory is named in the cluster file/);
  assert.match(refused(AB, { set: ["gpus"] }), /^--set:1:1: expected KEY=value/);
  assert.match(refused(AB, { set: ["env.__proto__=x"] }), /expected KEY=value/);
  assert.match(refused(AB, { set: ["timeouts.start=5x"] }), /^--set:1:16: timeouts\.start: expected a duration/);
  assert.match(refused(AB, { environment: { NEXADIST_TIMEOUTS_CONECT: "5s" } }), /did you mean NEXADIST_TIMEOUTS_CONNECT/);
  assert.match(refused(AB, { user: "cluster: []\n" }), /~\/config\.yaml:1:1: cluster: belongs in a cluster file/);
});

test("ranges, defaults and entries", () => {
  const { spec } = resolved(`cluster:
  - host: gpu[01-03]
    address: 10.0.0.[1-3]
  - host: x
    user: root
    env: {A: entry}
    gpus: 0
    slots: 3
defaults: {user: me, port: 2222, identity: keys/id, python: venv, env: {A: d, B: d}, gpus: 4}
`);
  assert.deepEqual(
    spec.hosts.map((host) => [host.name, host.address, host.user, host.port, host.identity, host.python, host.env["A"], host.env["B"], host.gpus.kind]),
    [
      ["gpu01", "10.0.0.1", "me", 2222, "/proj/conf/keys/id", "venv", "d", "d", "count"],
      ["gpu02", "10.0.0.2", "me", 2222, "/proj/conf/keys/id", "venv", "d", "d", "count"],
      ["gpu03", "10.0.0.3", "me", 2222, "/proj/conf/keys/id", "venv", "d", "d", "count"],
      ["x", "x", "root", 2222, "/proj/conf/keys/id", "venv", "entry", "d", "none"],
    ],
  );
});

test("one machine entered twice has two names and one SSH host", () => {
  const { spec } = resolved("cluster:\n  - {host: 127.0.0.1, port: 2201}\n  - {host: 127.0.0.1, port: 2202, user: u}\nrdzv: 127.0.0.1\n");
  assert.deepEqual(
    spec.hosts.map((host) => [host.name, host.sshHost, host.address]),
    [
      ["127.0.0.1-2201", "127.0.0.1", "127.0.0.1"],
      ["u@127.0.0.1-2202", "127.0.0.1", "127.0.0.1"],
    ],
  );
  assert.deepEqual(spec.rdzv, { host: "127.0.0.1-2201", port: 0 });
});

test("--host and --exclude choose, in the order of the file, and what cannot be met is said", () => {
  const file = "cluster:\n  - host: gpu[1-4]\nrdzv: gpu1\nmin_hosts: 2\n";
  assert.deepEqual(
    resolved(file, { hosts: ["gpu[3-4],gpu1"] }).spec.hosts.map((host) => host.name),
    ["gpu1", "gpu3", "gpu4"],
  );
  assert.match(refused(file, { hosts: ["gpu1"] }), /2 hosts are required.*leave 1/);
  assert.match(refused(file, { exclude: ["gpu1"] }), /rdzv: gpu1 is not among the hosts/);
  assert.match(refused(file, { hosts: ["gpo1"] }), /gpo1 is none of the hosts[\s\S]*did you mean gpu1/);
  assert.match(refused(file, { exclude: ["gpu[1-4]"] }), /no host is left/);
});

test("an inventory in another file: its paths start there, this file's defaults win, its errors name it", () => {
  const disk = { "/proj/inv/hosts.yaml": "defaults: {user: inv, port: 7, identity: k}\ncluster:\n  - host: a\n  - host: b\n    user: b\n" };
  const { spec } = resolved("cluster: ../inv/hosts.yaml\ndefaults: {user: mine}\nrdzv: b\n", { disk, set: ["cluster.1.gpus=2"] });
  assert.deepEqual(
    spec.hosts.map((host) => [host.user, host.port, host.identity, host.gpus.kind]),
    [
      ["mine", 7, "/proj/inv/k", "auto"],
      ["b", 7, "/proj/inv/k", "count"],
    ],
  );
  const bad = (text: string): string => refused("cluster: ../inv/hosts.yaml\n", { disk: { "/proj/inv/hosts.yaml": text } });
  assert.match(bad("cluster:\n  - hst: a\n"), /^conf\/\.\.\/inv\/hosts\.yaml:2:5: /);
  assert.match(bad("cluster: other.yaml\n"), /expected a list/);
  assert.match(bad("cluster: [{host: a}]\nrdzv: a\n"), /only `cluster:` and `defaults:`/);
  assert.match(refused("cluster: nope.yaml\n"), /^conf\/c\.yaml:1:10: cluster: cannot read \/proj\/conf\/nope\.yaml: no such file/);
  assert.match(refused("cluster: c.yaml\n"), /includes itself/);
});

test("secrets: env_file, references and names like API keys leave the spec, the effective configuration and every error", () => {
  const canary = "c4n4ry";
  const { spec, secrets, effective } = resolved(
    `${AB}env_file: s.env\nenv: {PLAIN: p, OVER: plain, FROM: "env:MY_TOKEN", FILE: "file:t.txt", WANDB_API_KEY: ${canary}, MLFLOW: "file:///mlruns"}\ndefaults: {env: {HOSTED: "env:MY_TOKEN"}}\n`,
    {
      environment: { MY_TOKEN: `${canary}1` },
      disk: {
        "/proj/conf/s.env": `# c\nexport A='${canary}2' # x\nOVER=${canary}3\nB="two\\nlines"\nC = ${canary} 4  # tail\nE=\n`,
        "/proj/conf/t.txt": `${canary}5\n`,
      },
    },
  );
  assert.deepEqual(spec.env, { PLAIN: "p", OVER: "plain", MLFLOW: "file:///mlruns" });
  assert.deepEqual(spec.secretNames, { "*": ["A", "B", "C", "E", "FILE", "FROM", "WANDB_API_KEY"], a: ["HOSTED"], b: ["HOSTED"] });
  assert.deepEqual(secrets["*"], { A: `${canary}2`, B: "two\nlines", C: `${canary} 4`, E: "", FROM: `${canary}1`, FILE: `${canary}5`, WANDB_API_KEY: canary });
  assert.deepEqual(secrets["b"], { HOSTED: `${canary}1` });
  assert.doesNotMatch(JSON.stringify([spec, effective]), new RegExp(canary));
  assert.match(JSON.stringify(effective.config), /"WANDB_API_KEY":"\$WANDB_API_KEY"/);
});

test("secrets that cannot be had are named, and errors in env_file show none of it", () => {
  assert.match(refused(`${AB}env: {T: "env:NOPE"}\n`), /^conf\/c\.yaml:4:10: env\.T: NOPE is not set/);
  assert.match(refused(`${AB}env: {T: "file:nope"}\n`), /cannot read \/proj\/conf\/nope/);
  assert.match(refused(`${AB}env_file: nope\n`), /^conf\/c\.yaml:4:11: env_file: cannot read/);
  const said = refused(`${AB}env_file: s.env\n`, { disk: { "/proj/conf/s.env": "OK=1\nhunter2\nA-B=hunter2\nX='hunter2\n" } });
  assert.match(said, /s\.env:2:1: expected NAME=value/);
  assert.match(said, /s\.env:3:1: the name/);
  assert.match(said, /s\.env:4:3: this quote is not closed/);
  assert.doesNotMatch(said, /hunter2/);
});

test("setup: lines as they are, a file read from beside the cluster file", () => {
  const disk = { "/proj/conf/env.sh": "module load cuda\n" };
  assert.equal(resolved(`${AB}defaults: {setup: env.sh}\n`, { disk }).spec.hosts[0]?.setup, "module load cuda\n");
  assert.equal(resolved(`${AB}defaults:\n  setup: |\n    conda activate x\n    export A=1\n`).spec.hosts[0]?.setup, "conda activate x\nexport A=1\n");
  assert.equal(resolved(`${AB}defaults: {setup: source env.sh}\n`, { disk }).spec.hosts[0]?.setup, "source env.sh");
  assert.match(refused(`${AB}defaults: {setup: ./nope.sh}\n`), /^conf\/c\.yaml:4:19: defaults\.setup: cannot read/);
});

test("the job and the code that travels", () => {
  const disk = { "/proj/train.py": "", "/proj/src/main.py": "", "/out/x.py": "", "/proj/run.sh": "#!/bin/sh" };
  const job = (text: string, more: Parameters<typeof resolve>[1] = {}) => {
    const { spec } = resolved(AB + text, { disk, ...more });
    return [spec.job, spec.code];
  };
  assert.deepEqual(job("job: {script: train.py, args: [--lr, 3e-4]}\n"), [
    { kind: "script", script: "train.py", args: ["--lr", "3e-4"] },
    { kind: "snapshot", root: "/proj" },
  ]);
  assert.deepEqual(job("job: {script: main.py}\ndefaults: {workdir: ../src}\n"), [
    { kind: "script", script: "main.py", args: [] },
    { kind: "snapshot", root: "/proj/src" },
  ]);
  assert.deepEqual(job("", { argv: ["/proj/src/main.py", "a b"] }), [
    { kind: "script", script: "src/main.py", args: ["a b"] },
    { kind: "snapshot", root: "/proj" },
  ]);
  assert.deepEqual(job("defaults: {workdir: ../src}\n", { argv: ["src/main.py"] })[0], { kind: "script", script: "main.py", args: [] });
  assert.deepEqual(job("job: {script: nope.py}\n", { argv: ["-m", "pkg.mod", "x"] }), [
    { kind: "module", module: "pkg.mod", args: ["x"] },
    { kind: "snapshot", root: "/proj" },
  ]);
  assert.deepEqual(job("", { argv: ["nvidia-smi", "-L"] }), [{ kind: "command", argv: ["nvidia-smi", "-L"] }, { kind: "none" }]);
  assert.deepEqual(job("", { argv: ["bash", "run.sh"] })[1], { kind: "snapshot", root: "/proj" });
  assert.deepEqual(job("backend: command\n", { argv: ["python", "-O", "train.py"] })[0], { kind: "command", argv: ["python", "-O", "train.py"] });
  assert.deepEqual(job('backend: command\njob: {command: "./run.sh \'a b\' \\"c\\"", args: [d]}\n')[0], {
    kind: "command",
    argv: ["./run.sh", "a b", "c", "d"],
  });
  assert.deepEqual(job("job: {script: x.py}\ndefaults: {workdir: data/code}\n", { noSync: true }), [
    { kind: "script", script: "x.py", args: [] },
    { kind: "in-place", dir: "data/code" },
  ]);
  assert.deepEqual(job("", { noSync: true }), [{ kind: "smoke", args: [] }, { kind: "none" }]);
});

test("a job that cannot run is refused before anything is reached", () => {
  assert.match(refused(`${AB}job: {script: nope.py}\n`), /^conf\/c\.yaml:4:15: job\.script: no such file: nope\.py \(looked in \/proj\)/);
  assert.match(refused(`${AB}job: {script: ../x.py}\n`, { disk: { "/x.py": "" } }), /lies outside of \/proj/);
  assert.match(refused(AB, { argv: ["nope.py"] }), /^after --:1:1: no such file/);
  assert.match(refused(`${AB}backend: command\n`), /nothing to run/);
  const looked = resolve(`${AB}backend: command\n`, { mayLackJob: true });
  assert.ok(looked.ok && looked.spec.launcher === "command", "diag starts nothing, and looks at such hosts all the same");
  const disk = { "/proj/notes.txt": "x", "/proj/bin/go": "x", "/proj/ok.sh": "#!/bin/sh" };
  for (const program of ["notes.txt", "./notes.txt", "bin/go"]) {
    const said = refused(AB, { disk, argv: [program] });
    assert.match(said, /is not executable\n[\s\S]*chmod \+x \.?[\w/.]+, or name what runs it: sh /, program);
  }
  assert.match(refused(AB, { disk, argv: ["bin/none"] }), /no such file in \/proj: bin\/none/);
  assert.match(refused(AB, { disk, argv: ["ok.sh"] }), /looked for on the PATH\n[\s\S]*-- \.\/ok\.sh/);
  for (const program of ["./ok.sh", "/opt/bin/x", "~/x", "nvidia-smi"]) assert.equal(refused(AB, { disk, argv: [program] }), "", program);
  assert.match(refused(`cluster: [{host: a, workdir: x}, {host: b}]\n`), /hosts differ in workdir/);
  for (const command of ["torchrun --nproc_per_node=2 x.py", "env A=1 accelerate launch x.py", '[bash, -c, "deepspeed x.py"]'])
    assert.throws(() => refused(`${AB}job: {command: ${command}}\n`, { disk }), { code: "PASTED_LAUNCHER", hint: /nexadist up conf\/c\.yaml .*-- x\.py/ });
});

test("accelerate's own file is read with its types, and its errors are in it", () => {
  const file = `${AB}backend: accelerate\njob: {accelerate_config: fsdp.yaml}\n`;
  const { spec } = resolved(file, { disk: { "/proj/conf/fsdp.yaml": "distributed_type: FSDP\nuse_cpu: false\nfsdp_config: {fsdp_version: 2}\n" } });
  assert.deepEqual(spec.accelerateConfig, { distributed_type: "FSDP", use_cpu: false, fsdp_config: { fsdp_version: 2 } });
  assert.equal(spec.launcher, "accelerate");
  assert.match(refused(file, { disk: { "/proj/conf/fsdp.yaml": "a: 1\na: 2\n" } }), /^\/proj\/conf\/fsdp\.yaml:2:1: this key is here twice/);
  const wrong = (text: string): string => refused(file, { disk: { "/proj/conf/fsdp.yaml": text } });
  assert.match(wrong("use_cpu: false\nfsdp_confg: {}\n"), /fsdp\.yaml:2:1: fsdp_confg: no key of an accelerate configuration/);
  assert.match(wrong("cluster: [a]\n"), /fsdp\.yaml:1:1: cluster: [\s\S]*looks like a cluster file of nexadist/);
  assert.equal(wrong("distributed_type: NO\nfp16: true\nipex_config: {}\n"), "");
  assert.match(refused(file), /^conf\/c\.yaml:5:26: job\.accelerate_config: cannot read/);
});
