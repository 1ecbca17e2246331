/** What a job finds on its hosts: its program in every form, code, setup, environment, scratch, ports; and the dry run by hand. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunState } from "../../cluster/run/state.ts";
import { openSeat, type Seat, until } from "../support/controller.ts";
import { MEET } from "../support/jobs.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";
import { assertClean } from "../support/outcome.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const WHO = `import json, os, sys
print(json.dumps({"rank": os.environ["RANK"], "argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}), flush=True)
`;

type Who = { rank: string; argv: string[]; cwd: string; env: Record<string, string> };

async function runWell(seat: Seat, args: readonly string[], env: Record<string, string> = {}): Promise<{ run: string; state: RunState }> {
  const run = await seat.up(args, { env });
  const state = await seat.ended(run);
  assertClean(state);
  return { run, state };
}

function whoOf(seat: Seat, run: string, rank: number, host: string): Who {
  const text = seat.log(run, host, `rank${rank}.out`);
  assert.match(text, /^\{/, seat.log(run, host, `rank${rank}.err`));
  return JSON.parse(text) as Who;
}

/** A listener on a port of a host until the test ends. */
async function listenOn(t: TestContext, lab: Lab, host: string, port: number): Promise<void> {
  const [program, ...words] = lab.argv(["true"]);
  const child = spawn(
    program,
    [
      ...words.slice(0, words.indexOf("exec")),
      "run",
      lab.name,
      host,
      "--",
      "python3",
      "-c",
      `import socket, sys\ns = socket.socket()\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\ns.bind(("", ${port}))\ns.listen()\nprint("up", flush=True)\nsys.stdin.read()`,
    ],
    { stdio: ["pipe", "pipe", "ignore"] },
  );
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
}

test("jobs on two SSH hosts", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 4, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", `cluster: [{host: ${A}}, {host: ${B}}]\ndefaults: {gpus: 0, slots: 2}\nlauncher: direct\n`);
  seat.write("who.py", WHO);
  seat.write("pkg/__init__.py", "");
  seat.write("pkg/mod.py", WHO);
  chmodSync(seat.write("tool.sh", '#!/bin/sh\necho "{\\"rank\\": \\"$RANK\\", \\"argv\\": [\\"$1\\"]}"\n'), 0o755);

  await t.test("a script, python and a script, a module, an executable of the directory, any program", async () => {
    for (const job of [
      ["who.py", "a b"],
      ["python", "who.py", "a b"],
      ["-m", "pkg.mod", "a b"],
      ["./tool.sh", "a b"],
    ]) {
      const { run } = await runWell(seat, ["c.yaml", "--", ...job]);
      for (const rank of [0, 1, 2, 3]) {
        const who = whoOf(seat, run, rank, rank < 2 ? A : B);
        assert.deepEqual([who.rank, who.argv], [`${rank}`, ["a b"]], job.join(" "));
      }
    }
    const { run } = await runWell(seat, ["c.yaml", "--", "hostname"]);
    assert.equal(seat.log(run, B, "rank3.out"), "gpu-b\n");
  });

  await t.test("what is pasted from notes is answered, never nested", async () => {
    const { code, err } = await seat.cli(["up", "c.yaml", "--", "torchrun", "--nnodes=2", "--nproc-per-node=2", "who.py", "--lr", "1"]);
    assert.equal(code, 2);
    assert.match(err, /nexadist up c\.yaml -- who\.py --lr 1/);
  });

  await t.test("a run works in a copy of its own: what it writes is in no later run", async () => {
    seat.write("write.sh", 'echo "$RANK" > mine; : > who.py');
    seat.write("check.sh", "test ! -e mine && test -s who.py");
    await runWell(seat, ["c.yaml", "--", "sh", "write.sh"]);
    await runWell(seat, ["c.yaml", "--", "sh", "check.sh"]);
    assert.equal(readFileSync(join(seat.dir, "who.py"), "utf8"), WHO);
  });

  await t.test("20 MB of code travel whole; the second time nothing of it travels", async () => {
    const bytes = randomBytes(20_000_000);
    writeFileSync(join(seat.dir, "weights.bin"), bytes);
    const sum = createHash("sha256").update(bytes).digest("hex");
    for (let k = 0; k < 2; k++) {
      const { run } = await runWell(seat, ["c.yaml", "--", "sha256sum", "weights.bin"]);
      for (const [rank, host] of [A, A, B, B].entries()) assert.equal(seat.log(run, host, `rank${rank}.out`), `${sum}  weights.bin\n`);
    }
    rmSync(join(seat.dir, "weights.bin"));
  });

  await t.test("--no-sync: equal scripts run where they lie; different ones are named before anything starts", async () => {
    for (const host of lab.hosts) await host.run(["sh", "-c", "mkdir -p /root/shared && cat > /root/shared/there.py"], { input: WHO });
    const { run } = await runWell(seat, ["c.yaml", "--no-sync", "--set", "defaults.workdir=shared", "--", "there.py"]);
    assert.equal(whoOf(seat, run, 3, B).cwd, "/root/shared");
    await lab.host("gpu-b").run(["sh", "-c", "echo '# other' >> /root/shared/there.py"]);
    const { code, err } = await seat.cli(["up", "c.yaml", "--no-sync", "--set", "defaults.workdir=shared", "--", "there.py"]);
    assert.notEqual(code, 0);
    assert.match(err, /100\.66\.164\.18 [0-9a-f]{12}.*100\.66\.164\.19 [0-9a-f]{12}/);
    const state = await seat.ended(seat.latest());
    assert.deepEqual(state.ranks, {});
  });

  await t.test("setup: what it exports reaches the ranks, what it prints does not", async () => {
    seat.write(
      "setup.yaml",
      `cluster: [{host: ${A}}, {host: ${B}}]\ndefaults:\n  gpus: 0\n  slots: 1\n  setup: |\n    echo noise\n    export FROM_SETUP="on $(hostname)"\n    lines() { echo x; }\n    export MULTI=$'a\\nb'\nlauncher: direct\n`,
    );
    const { run } = await runWell(seat, ["setup.yaml", "--", "who.py"]);
    const who = whoOf(seat, run, 1, B);
    assert.equal(who.env.FROM_SETUP, "on gpu-b");
    assert.equal(who.env.MULTI, "a\nb");
  });

  await t.test("setup that fails: host, line and last output are said, and nothing starts", async () => {
    seat.write(
      "bad.yaml",
      `cluster: [{host: ${A}}, {host: ${B}, setup: "echo fine\\necho module is missing >&2; false\\necho never"}]\ndefaults: {gpus: 0, slots: 1}\nlauncher: direct\n`,
    );
    const { code, out, err } = await seat.cli(["up", "bad.yaml", "--", "who.py"]);
    assert.equal(code, 5);
    assert.match(`${out}${err}`, /100\.66\.164\.19/);
    assert.match(`${out}${err}`, /line 2/);
    assert.match(`${out}${err}`, /module is missing/);
    assert.doesNotMatch(`${out}${err}`, /never/);
    assert.deepEqual((await seat.ended(seat.latest())).ranks, {});
  });

  await t.test("environment: the host's over the file's over the session's over our defaults", async () => {
    await lab.host("gpu-a").run(["sh", "-c", "echo 'export FROM_RC=rc SHARED_NAME=rc' >> /root/.profile"]);
    seat.write(
      "env.yaml",
      `cluster: [{host: ${A}, env: {SHARED_NAME: host, MARK_A: "a b"}}, {host: ${B}}]\ndefaults: {gpus: 0, slots: 1}\nlauncher: direct\nenv: {SHARED_NAME: file, OMP_NUM_THREADS: "3", RANK_NOTE: "x=y z"}\n`,
    );
    const { run } = await runWell(seat, ["env.yaml", "--set", "env.FLAG=set", "--", "who.py"], { LEAKED_FROM_CONTROLLER: "1" });
    const [a, b] = [whoOf(seat, run, 0, A).env, whoOf(seat, run, 1, B).env];
    assert.deepEqual([a.SHARED_NAME, a.MARK_A, a.FLAG, a.OMP_NUM_THREADS, a.RANK_NOTE], ["host", "a b", "set", "3", "x=y z"]);
    assert.deepEqual([b.SHARED_NAME, b.MARK_A, b.FLAG], ["file", undefined, "set"]);
    assert.equal(b.LEAKED_FROM_CONTROLLER, undefined);
    assert.equal(b.NEXADIST_STATE_DIR, undefined);
    assert.equal(a.GLOO_SOCKET_IFNAME, "eth0");
  });

  await t.test("scratch: a directory a rank before the ranks start; where the path cannot be made, a home path and a word", async () => {
    for (const name of ["gpu-a", "gpu-b"]) await lab.host(name).run(["mkdir", "-p", "/mnt/all"]);
    const list = ["sh", "-c", 'test -d "$NEXA_SCRATCH" && touch "$NEXA_SCRATCH/x" && echo "$NEXA_SCRATCH $NEXA_SHARED"'];
    const { run } = await runWell(seat, ["c.yaml", "--set", "paths.scratch=/tmp/fast", "--set", "paths.shared=/mnt/all", "--", ...list]);
    assert.equal(seat.log(run, B, "rank3.out"), `/tmp/fast/${run}/rank_3 /mnt/all\n`);
    const away = await seat.cli(["up", "c.yaml", "--set", "paths.scratch=/proc/none", "--", ...list]);
    assert.equal(away.code, 0, away.err);
    assert.match(away.err, /100\.66\.164\.18: .*\/proc\/none/);
    assert.match(seat.log(seat.latest(), A, "rank1.out"), /^\/root\/\S+\/rank_1 /);
    assert.doesNotMatch(seat.log(seat.latest(), A, "rank1.out"), /\/proc\/none/);
  });

  await t.test("the port that rdzv names is busy: its owner is named, and nothing starts", async (t) => {
    await listenOn(t, lab, "gpu-a", 29511);
    const { code, out, err } = await seat.cli(["up", "c.yaml", "--set", `rdzv=${A}:29511`, "--", "who.py"]);
    assert.equal(code, 5, err);
    assert.match(`${out}${err}`, /29511.*python3.*pid \d+|29511.*pid \d+.*python3/);
    assert.deepEqual((await seat.ended(seat.latest())).ranks, {});
  });

  await t.test("the dry run, pasted into a shell on each host, is the run", async (t) => {
    seat.write("meet.py", MEET);
    seat.write("paste.yaml", `cluster: [{host: ${A}}, {host: ${B}}]\ndefaults: {gpus: 0, slots: 1}\nenv: {WORDS: "it's $HOME"}\n`);
    const { code, out, err } = await seat.cli(["up", "paste.yaml", "--dry-run", "--", "meet.py", "it's", "$HOME"]);
    assert.equal(code, 0, err);
    assert.equal((await seat.lab.host("gpu-a").run(["sh", "-c", "ls /root/.local/state/nexadist/agents/*/runs | grep -c dry"])).stdout.trim(), "0");
    const parts = out.split(/^(?=# host )/m).filter((part) => part.startsWith("# host "));
    assert.equal(parts.length, 2);
    const ran = await Promise.all(
      lab.hosts.map(async (host, k) => {
        await host.run(["sh", "-c", "mkdir -p /root/pasted && cat > /root/pasted/meet.py"], { input: MEET });
        const [program, ...words] = lab.argv(["ssh", host.address, "cd pasted && bash -s"]);
        const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
        t.after(() => child.kill("SIGKILL"));
        let said = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
        child.stdin.end(parts[k]);
        const [exit] = (await once(child, "close")) as [number];
        return { exit, said };
      }),
    );
    for (const [rank, { exit, said }] of ran.entries()) {
      assert.equal(exit, 0, said);
      const met = JSON.parse(said.split("\n").find((line) => line.startsWith("{")) ?? "{}") as { rank: number; world: number; argv: string[] };
      assert.deepEqual([met.rank, met.world, met.argv], [rank, 2, ["it's", "$HOME"]]);
    }
  });

  await t.test("nothing of any of these runs is left", async () => {
    for (const host of lab.hosts)
      await until(
        `${host.name} without our processes`,
        async () => (await host.run(["sh", "-c", "grep -l NEXADIST_MARK= /proc/[0-9]*/environ 2>/dev/null"])).stdout === "",
        10_000,
      );
  });
});
