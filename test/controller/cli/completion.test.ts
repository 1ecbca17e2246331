/** Tab in real shells: bash at a terminal, fish and zsh as they complete; it knows runs, hosts, ranks and files, is quick, and starts nothing. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SCRIPTS } from "../../../controller/cli/completion-scripts.ts";
import { ENTRY, nexadist, type Place, place } from "../../support/cli.ts";
import { onTerminal } from "../../support/terminal.ts";

const has = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;
const RUNS = ["train_20260102_030405", "train_20260102_030406"] as const;

type Stage = { readonly at: Place; readonly env: Record<string, string>; readonly script: (shell: string) => string };

/** A program of our name on PATH, two runs on record, a cluster file. */
function stage(t: TestContext): Stage {
  const at = place(t);
  const bin = join(at.dir, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "nexadist"), `#!/bin/sh\nexec '${process.execPath}' '${ENTRY}' "$@"\n`, { mode: 0o755 });
  for (const [k, run] of RUNS.entries()) {
    const dir = join(at.dir, "state/runs", run);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "manifest.json"), JSON.stringify({ status: "running", job: "train.py", world_size: 3 + k, hardware: [{ host: "of-run" }] }));
  }
  at.write("cluster.yaml", "cluster:\n  - {host: gpu-a}\n  - {host: 'node[1-2]'}\n");
  at.write("other.yaml", "cluster: [{host: far}]\n");
  const env = { PATH: `${bin}:${process.env.PATH ?? ""}`, HOME: at.home, LANG: "C.UTF-8", TERM: "xterm", NEXADIST_STATE_DIR: join(at.dir, "state") };
  return { at, env, script: (shell) => at.write(`complete.${shell}`, SCRIPTS[shell] ?? assert.fail(shell)) };
}

/** What must never come of a tab. */
const isQuiet = (at: Place): boolean => !existsSync(join(at.dir, "state/controller.log")) && !existsSync(join(at.dir, "state/controller.sock"));

test("the command prints the script; an unknown shell is a mistake", async (t) => {
  const at = place(t);
  for (const shell of ["bash", "zsh", "fish"])
    assert.deepEqual(await nexadist(t, at, ["completion", shell]), { code: 0, signal: null, out: SCRIPTS[shell], err: "" });
  const { code, out, err } = await nexadist(t, at, ["completion", "csh"]);
  assert.deepEqual([code, out], [2, ""]);
  assert.match(err, /no completion for csh/);
});

test("asked itself: candidates with what they are, nothing but them, whatever is wrong", async (t) => {
  const { at, env } = stage(t);
  const ask = async (...words: string[]): Promise<string[]> => {
    const { code, out, err } = await nexadist(t, at, ["__complete", "--", ...words], { NEXADIST_STATE_DIR: env.NEXADIST_STATE_DIR ?? "" });
    assert.deepEqual([code, err], [0, ""], words.join(" "));
    return out.split("\n").filter((line) => line !== "");
  };
  assert.deepEqual((await ask("status", "")).toSorted(), [...RUNS.map((run) => `${run}\trunning: train.py`), "latest\tthe newest of them"].toSorted());
  assert.deepEqual(await ask("logs", RUNS[0], "--rank", ""), ["all", "0", "1", "2"]);
  assert.deepEqual(await ask("gpus", "--host", ""), ["gpu-a", "node1", "node2"]);
  assert.deepEqual(await ask("gpus", "-c", "other.yaml", "--host", ""), ["far"]);
  assert.deepEqual(await ask("gpus", "-c", "absent.yaml", "--host", ""), ["of-run"]);
  assert.deepEqual(await ask("up", "x"), [":files"]);
  assert.match((await ask("up", "--set", "timeouts.conn")).join(), /^timeouts\.connect=\t/);
  assert.deepEqual(await ask("cp", "gpu"), ["gpu-a:\ta path there", ":files"]);
  assert.deepEqual(await ask("explain", "cuda_oo"), ["cuda_oom"]);
  assert.deepEqual([await ask("absent", ""), await ask("status", "zzz"), await ask("\u001b[2J", "--set=")], [[], [], []]);
  assert.ok(isQuiet(at), "no controller was started");
});

test("bash at a terminal", { skip: !has("bash") && "no bash here" }, async (t) => {
  const { at, env, script } = stage(t);
  const bash = onTerminal(t, ["bash", "--noprofile", "--norc", "-i"], { cwd: at.dir, env });
  bash.type(`PS1='ready> '; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source ${script("bash")}; echo 'source''d'\n`);
  await bash.shows(/sourced[\s\S]*ready> /);
  const line = async (keys: string, shown: RegExp): Promise<void> => {
    bash.type(keys);
    await bash.shows(shown);
    bash.type("\u0015echo 'no''w'\n");
    await bash.shows(/now[\s\S]*ready> /);
  };
  await line("nexadist takeo\t", /takeo\S*ver /);
  await line("nexadist status tr\t", /train_20260102_03040/);
  await line("nexadist status train_20260102_030406\t", /train_20260102_030406 /);
  await line("nexadist logs --rank=\t\t", /--rank[\s\S]*0 +1 +2/);
  await line("nexadist gpus --host=no\t", /--host=node/);
  await line("nexadist up clu\t", /cluster\.yaml/);
  await line("nexadist cp gpu\t", /gpu-a:(?! )/);
  await line("nexadist agent up\t", /agent upgrade /);
  bash.type("exit\n");
  assert.doesNotMatch((await bash.done).screen, /command not found|syntax error|compopt/);
  assert.ok(isQuiet(at), "no controller was started");
});

test("fish", { skip: !has("fish") && "no fish here" }, (t) => {
  const { at, env, script } = stage(t);
  const ask = (line: string): string => {
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", `source ${script("fish")}; complete -C '${line}'`], {
      cwd: at.dir,
      env,
      encoding: "utf8",
    });
    assert.equal(stderr, "", line);
    return stdout;
  };
  assert.match(ask("nexadist takeo"), /^takeover\tLead a run/);
  assert.match(ask("nexadist status tr"), /train_20260102_030405\trunning: train\.py\n/);
  assert.equal(ask("nexadist gpus --host no"), "node1\nnode2\n");
  assert.match(ask("nexadist logs --rank="), /^--rank=all\n--rank=0\n/);
  assert.match(ask("nexadist up clu"), /^cluster\.yaml/);
  assert.match(ask("nexadist logs --fo"), /^--follow\t/);
  assert.ok(isQuiet(at), "no controller was started");
});

test("zsh at a terminal", { skip: !has("zsh") && "no zsh here" }, async (t) => {
  const { at, env, script } = stage(t);
  const zsh = onTerminal(t, ["zsh", "-f", "-i"], { cwd: at.dir, env: { ...env, ZDOTDIR: at.home } });
  zsh.type(`PS1='ready> '; unsetopt zle_bracketed_paste beep; source ${script("zsh")} 2>&1; echo 'source''d'\n`);
  await zsh.shows(/sourced[\s\S]*ready> /);
  const line = async (keys: string, shown: RegExp): Promise<void> => {
    zsh.type(keys);
    await zsh.shows(shown);
    zsh.type("\u0015echo 'no''w'\n");
    await zsh.shows(/now[\s\S]*ready> /);
  };
  await line("nexadist takeo\t", /takeo\S*ver/);
  await line("nexadist status train_20260102_030406\t", /train_20260102_030406/);
  await line("nexadist gpus --host no\t", /node/);
  await line("nexadist up clu\t", /cluster\.yaml/);
  zsh.type("exit\n");
  assert.doesNotMatch((await zsh.done).screen, /not found|parse error|bad /);
  assert.ok(isQuiet(at), "no controller was started");
});
