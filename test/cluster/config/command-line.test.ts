/** The words after `--`: kept byte for byte, and never a launcher in a launcher. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jobFromArgv } from "../../../cluster/config/command-line.ts";
import { splitCommand } from "../../../cluster/config/words.ts";
import { NexaError } from "../../../cluster/errors.ts";
import { quoteAll } from "../../../cluster/launch/quote.ts";

function refusal(argv: readonly string[]): NexaError {
  try {
    jobFromArgv(argv, "c.yaml");
  } catch (thrown) {
    if (thrown instanceof NexaError) return thrown;
    throw thrown;
  }
  return assert.fail(`accepted: ${argv.join(" ")}`);
}
const split = (line: string): readonly string[] => {
  const words = splitCommand(line);
  return words.ok ? words.words : assert.fail(words.why);
};
/** The command that a hint tells to paste, as words. */
const pasteOf = (error: NexaError): readonly string[] => split(error.hint.split("\n")[1]?.trim() ?? "");

test("scripts, modules, interpreters and programs", () => {
  const script = { kind: "script", script: "train.py", args: ["--lr", "3e-4"] };
  assert.deepEqual(jobFromArgv(["train.py", "--lr", "3e-4"], "c"), script);
  assert.deepEqual(jobFromArgv(["python", "train.py", "--lr", "3e-4"], "c"), script);
  assert.deepEqual(jobFromArgv(["python3.12", "-u", "train.py", "--lr", "3e-4"], "c"), script);
  assert.deepEqual(jobFromArgv(["python", "train"], "c"), { kind: "script", script: "train", args: [] });
  assert.deepEqual(jobFromArgv(["-m", "pkg.mod", "-m"], "c"), { kind: "module", module: "pkg.mod", args: ["-m"] });
  assert.deepEqual(jobFromArgv(["python3", "-m", "pkg.mod"], "c"), { kind: "module", module: "pkg.mod", args: [] });
  assert.deepEqual(jobFromArgv(["./bench", "a b", ""], "c"), { kind: "command", argv: ["./bench", "a b", ""] });
  assert.deepEqual(jobFromArgv(["python", "-O", "x.py"], "c", true), { kind: "command", argv: ["python", "-O", "x.py"] });
});

test("arguments are never looked at, whatever they hold", () => {
  fc.assert(
    fc.property(fc.array(fc.string().filter((word) => !word.includes("\0"))), (args) => {
      assert.deepEqual(jobFromArgv(["train.py", ...args], "c"), { kind: "script", script: "train.py", args });
      assert.deepEqual(jobFromArgv(["python", "-m", "pkg", ...args], "c"), { kind: "module", module: "pkg", args });
    }),
  );
});

test("what an interpreter is told and ranks cannot keep is refused with the way to say it", () => {
  assert.match(refusal(["python", "-O", "train.py"]).message, /-O is not kept/);
  assert.match(refusal(["python", "-c", "print(1)"]).message, /cannot travel/);
  assert.match(refusal(["python"]).message, /needs a script/);
  assert.match(refusal(["/opt/venv/bin/python", "train.py"]).hint, /--set defaults\.python=\/opt\/venv\/bin\/python -- python train\.py/);
  assert.match(refusal(["CUDA_VISIBLE_DEVICES=0", "train.py"]).hint, /--set env\.CUDA_VISIBLE_DEVICES=/);
  assert.match(refusal(["--lr", "1"]).message, /neither a script nor a program/);
  assert.match(refusal(["-m", "a/b.py"]).message, /is a file/);
  for (const argv of [["python"], ["--x"], ["-m"], [""]]) assert.equal(refusal(argv).exit, 2);
});

type Pasted = readonly [line: string, paste: string, remarks: RegExp];
const PASTED: readonly Pasted[] = [
  [
    "torchrun --nnodes=2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint h:29500 train.py --lr 3e-4",
    "nexadist up c.yaml -- train.py --lr 3e-4",
    /--nproc-per-node 4 is `gpus:`.*--nnodes=2 is the number.*--rdzv-endpoint h:29500/,
  ],
  ["torchrun --standalone -m pkg.train --nnodes 3", "nexadist up c.yaml -- -m pkg.train --nnodes 3", /--standalone/],
  ["torchrun --no-python ./run.sh x", "nexadist up c.yaml -- ./run.sh x", /^/],
  ["torchrun train", "nexadist up c.yaml -- python train", /^/],
  ["/opt/bin/torchrun --nproc_per_node=gpu -- train.py -- x", "nexadist up c.yaml -- train.py -- x", /gpus:/],
  ["python -m torch.distributed.run --node-rank 1 train.py", "nexadist up c.yaml -- train.py", /--node-rank 1/],
  ["python3 -u -m torch.distributed.launch --use_env --nproc_per_node 2 train.py", "nexadist up c.yaml -- train.py", /gpus:/],
  [
    "accelerate launch --config_file conf/fsdp.yaml --num_processes 8 train.py",
    "nexadist up c.yaml --set backend=accelerate --set job.accelerate_config=conf/fsdp.yaml -- train.py",
    /all hosts together/,
  ],
  [
    "accelerate launch --multi_gpu --mixed_precision bf16 -m pkg",
    "nexadist up c.yaml --set backend=accelerate -- -m pkg",
    /not carried over: --mixed_precision bf16/,
  ],
  ["python -m accelerate.commands.launch train.py", "nexadist up c.yaml --set backend=accelerate -- train.py", /^/],
  [
    "deepspeed --hostfile h --include a:0,1 train.py --deepspeed ds.json",
    "nexadist up c.yaml -- train.py --deepspeed ds.json",
    /--hostfile h --include a:0,1.*LOCAL_RANK/,
  ],
  ["env FOO=1 torchrun --nproc_per_node=2 train.py", "nexadist up c.yaml --set env.FOO=1 -- train.py", /gpus:.*left out: env/],
  ["FOO=1 BAR=x/y torchrun train.py a", "nexadist up c.yaml --set env.FOO=1 --set env.BAR=x/y -- train.py a", /^/],
  [
    "CUDA_VISIBLE_DEVICES=0,1 MASTER_PORT=1 'N=a: [b' torchrun train.py",
    `nexadist up c.yaml --set env.N="a: [b" -- train.py`,
    /sets itself: CUDA_VISIBLE_DEVICES=0,1 MASTER_PORT=1/,
  ],
  ["/usr/bin/env -u X -i FOO=1 nohup nice -n 5 torchrun train.py", "nexadist up c.yaml --set env.FOO=1 -- train.py", /left out: .*nohup, nice -n 5/],
  ["time -p numactl -N 0 --membind=0 torchrun train.py", "nexadist up c.yaml -- train.py", /left out: time -p, numactl -N 0 --membind=0/],
  ["taskset -c 0-7 stdbuf -oL timeout -k 5 1h torchrun train.py", "nexadist up c.yaml -- train.py", /taskset -c 0-7, stdbuf -oL, timeout -k 5 1h/],
  ["uv run --with rich -p 3.12 torchrun -m pkg", "nexadist up c.yaml -- -m pkg", /left out: uv run --with rich -p 3\.12 \(an environment is `python:`/],
  ["srun -N 2 --ntasks-per-node=1 --gpus-per-node 4 -w gpu1,gpu2 torchrun train.py", "nexadist up c.yaml -- train.py", /left out: srun -N 2/],
  ["hatch -e train run torchrun train.py", "nexadist up c.yaml -- train.py", /hatch -e train run/],
  ["poetry run accelerate launch train.py", "nexadist up c.yaml --set backend=accelerate -- train.py", /poetry run/],
  ["conda run -n env --no-capture-output python -m torch.distributed.run train.py", "nexadist up c.yaml -- train.py", /conda run -n env/],
  ["sudo -E -u me deepspeed train.py", "nexadist up c.yaml -- train.py", /sudo -E -u me/],
  ["bash -c 'torchrun --nproc_per_node=2 train.py --lr \"1 2\"'", "nexadist up c.yaml -- train.py --lr 1 2", /left out: bash -c/],
  [
    "sh -ec 'cd /data && . env/bin/activate; exec env A=1 torchrun train.py'",
    "nexadist up c.yaml --set env.A=1 -- train.py",
    /not carried over: cd \/data; \. env\/bin\/activate \(`setup:`/,
  ],
  ["bash -c 'torchrun train.py > log.txt 2>&1 | tee x'", "nexadist up c.yaml -- train.py", /not carried over: tee x; > log\.txt; 2>&1/],
];

for (const [line, paste, remarks] of PASTED) {
  test(`pasted: ${line}`, () => {
    const error = refusal(split(line));
    assert.equal(error.code, "PASTED_LAUNCHER");
    assert.equal(error.exit, 2);
    assert.equal(pasteOf(error).join(" "), paste);
    assert.match(error.hint, remarks);
    const words = pasteOf(error);
    jobFromArgv(words.slice(words.indexOf("--") + 1), "c.yaml"); // the answer is accepted
  });
}

test("pasted: what a shell would have expanded stays as it was typed, with a word", () => {
  const { hint } = refusal(["nohup", "bash", "-lc", "torchrun --nproc_per_node=$N train.py $ARGS &"]);
  assert.match(hint, /\n {2}nexadist up c\.yaml -- train\.py \$ARGS\n/);
  assert.match(hint, /gpus:.*left out: nohup, bash -lc.*for you to fill in/);
});

test("a word that only looks like a launcher's is the program's own", () => {
  for (const line of [
    "env FOO=torchrun ./run.sh",
    "time ./bench.sh torchrun x.py",
    "numactl -N 0 ./bench.sh torchrun",
    "timeout 5 ./torchrun.sh",
    "uv sync torchrun",
    "uv run train.py torchrun",
    "bash run.sh -c torchrun",
    "bash -c 'echo torchrun'",
    "nohup",
    "uv run",
  ])
    assert.deepEqual(jobFromArgv(split(line), "c"), { kind: "command", argv: split(line) }, line);
});

test("pasted launchers are refused for backend command too", () => {
  assert.throws(() => jobFromArgv(["torchrun", "x.py"], "c", true), { code: "PASTED_LAUNCHER" });
});

test("pasted: the script's own words come back byte for byte from the quoted answer", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" }).filter((word) => !/[\0\n]/.test(word))), (args) => {
      const words = pasteOf(refusal(["torchrun", "--nnodes=2", "train.py", ...args]));
      assert.deepEqual(words.slice(words.indexOf("--") + 1), ["train.py", ...args]);
    }),
  );
});

test("a command line splits as a shell would, and refuses what only a shell can do", () => {
  assert.deepEqual(split(`a 'b c' "d \\" e" f\\ g ''`), ["a", "b c", 'd " e', "f g", ""]);
  for (const line of ["a | b", "a; b", "a > b", "$A", '"$A"', "`a`", "a*", "~/x", "{a,b}", "# x", "'a", '"a', "a\\", ""])
    assert.equal(splitCommand(line).ok, false, line);
  fc.assert(
    fc.property(
      fc.array(
        fc.string().filter((word) => !word.includes("\0")),
        { minLength: 1 },
      ),
      (words) => assert.deepEqual(split(quoteAll(words).join(" ")), words),
    ),
  );
});
