/** Our sitecustomize in the Pythons of ranks: the program must not feel it, and the user's own runs as if ours were not there. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PYTHON } from "../support/shims.ts";
import { stackRanks } from "../support/stack-ranks.ts";

type Said = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

function places(t: TestContext): {
  readonly ours: string;
  readonly theirs: string;
  readonly run: (path: string, code: string, more?: readonly string[], env?: object) => Said;
} {
  const { dir, inside: ours } = stackRanks(t);
  const theirs = join(dir, "theirs");
  mkdirSync(theirs);
  const run = (path: string, code: string, more: readonly string[] = [], env = {}): Said => {
    const { status, stdout, stderr } = spawnSync(PYTHON, [...more, "-c", code], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: "1", ...env },
    });
    return { status, stdout, stderr };
  };
  return { ours, theirs, run };
}

/** Traceback lines of our file and the carets below lines are all that may differ. */
const plain = ({ status, stdout, stderr }: Said): unknown[] => [
  status,
  stdout,
  stderr.replace(/^ {2}File ".*inside\/sitecustomize\.py".*\n(?: {4}.*\n)*/gm, ""),
];

test("a sitecustomize of the user's runs exactly as without ours, whatever it does; and where there is none there is none", (t) => {
  const { ours, theirs, run } = places(t);
  const look = "import sys; m = sys.modules.get('sitecustomize'); print(getattr(m, '__file__', None), getattr(m, 'mark', None), sys.path[1:])";
  assert.deepEqual(run(ours, look), run("", look), "none");
  for (const text of [
    "mark = 7\nprint('here', __name__)\n",
    "1 / 0\n",
    "import not_there\n",
    "raise SystemExit(3)\n",
    "def broken(:\n",
    "raise KeyboardInterrupt\n",
  ]) {
    writeFileSync(join(theirs, "sitecustomize.py"), text);
    assert.deepEqual(plain(run(`${ours}:${theirs}`, look)), plain(run(theirs, look)), text);
  }
});

test("the stack is told on the signal and nothing else is: no file, no output, no end", (t) => {
  const { ours, run } = places(t);
  const code =
    "import os\nos.kill(os.getpid(), 51)\nos.kill(os.getpid(), 52)\nfd = next(n for n in range(256) if os.path.lexists(f'/proc/self/fd/{n}') and 'nexadist-stacks' in os.readlink(f'/proc/self/fd/{n}'))\nprint(os.pread(fd, 9999, 0).decode().count('<module>'), fd >= 100, os.get_inheritable(fd))";
  assert.deepEqual(plain(run(ours, code)), [0, "2 True False\n", ""]);
  assert.deepEqual(readdirSync(ours), ["sitecustomize.py"]);
});

test("it stays away when it is told to, from isolated Pythons, and from signals that somebody else has", (t) => {
  const { ours, run } = places(t);
  const listens = "mask = int(open('/proc/self/status').read().split('SigCgt:')[1].split()[0], 16); print([bool(mask >> (n - 1) & 1) for n in (51, 52)])";
  assert.equal(run(ours, listens).stdout, "[True, True]\n");
  assert.equal(run(ours, listens, [], { NEXADIST_STACKS: "0" }).stdout, "[False, False]\n");
  for (const flags of ["-I", "-S", "-E"]) assert.equal(run(ours, listens, [flags]).stdout, "[False, False]\n", flags);
  const child = `import os, signal, subprocess, sys\nsignal.signal(51, signal.SIG_IGN)\nprint(subprocess.run([sys.executable, '-c', ${JSON.stringify(listens)}], capture_output=True, text=True).stdout, end='')`;
  assert.equal(run(ours, child).stdout, "[False, False]\n", "ignored by whoever started it");
});

test("children of every kind live on: forked, spawned, and any program", (t) => {
  const { ours, run } = places(t);
  const code = `import multiprocessing as m, subprocess, os
def f(x): return x * 2
if __name__ == "__main__":
    with m.get_context("fork").Pool(2) as p: print(p.map(f, [1, 2]))
    print(subprocess.run(["sh", "-c", "ls /proc/self/fd | wc -l; echo $PYTHONPATH"], capture_output=True, text=True).stdout.split()[1] == os.environ["PYTHONPATH"])
`;
  assert.deepEqual(plain(run(ours, code)), [0, "[2, 4]\nTrue\n", ""]);
});
