/** Why an attempt ended: the first failure and its victims, for each way in which ranks end. */

import { check, stopped } from "./check.ts";
import { err, errorFile, exit, GLOO, NCCL_REMOTE, pidOf, scene, traceback, WATCHDOG } from "./scenes.ts";

check(
  "killed by the kernel for want of memory",
  scene({
    exits: [exit(5, 1000, { signal: "SIGKILL" }), ...stopped(5)],
    kernel: [
      { host: "gpu-b", at: 990, text: `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=python3,pid=${pidOf(5)},uid=1000` },
      {
        host: "gpu-b",
        at: 991,
        text: `Memory cgroup out of memory: Killed process ${pidOf(5)} (python3) total-vm:98213744kB, anon-rss:32505856kB, file-rss:0kB`,
      },
    ],
  }),
  {
    kind: "oom",
    code: "KERNEL_OOM",
    place: "oom",
    text: "rank 5 on gpu-b was killed by the kernel for want of memory (oom-kill, anon-rss 31 GiB); 7 other ranks ended because of it",
  },
);

check(
  "counted as an OOM kill, where the kernel's log cannot be read",
  scene({ exits: [exit(2, 1000, { signal: "SIGKILL" }), ...stopped(2)], ooms: [{ host: "gpu-a", kills: 1 }] }),
  { kind: "oom", code: "KERNEL_OOM", text: /^rank 2 on gpu-a was killed by the kernel for want of memory \(oom-kill\);/ },
);

check(
  "somebody else's OOM kill is not this rank's",
  scene({
    exits: [exit(2, 1000, { signal: "SIGSEGV" }), ...stopped(2)],
    kernel: [{ host: "gpu-a", at: 900, text: "Out of memory: Killed process 77 (chrome) total-vm:1kB, anon-rss:1kB" }],
  }),
  { kind: "signal", place: "signal:SIGSEGV", text: "rank 2 on gpu-a was ended by SIGSEGV; 7 other ranks ended because of it" },
);

check(
  "kill -9 long after another container was short of memory",
  scene({
    exits: [exit(2, 100_000, { signal: "SIGKILL" }), ...stopped(2)],
    kernel: [{ host: "gpu-a", at: 900, text: "Memory cgroup out of memory: Killed process 77 (python3) total-vm:1kB, anon-rss:1kB" }],
  }),
  { kind: "signal", place: "signal:SIGKILL", text: /^rank 2 on gpu-a was ended by SIGKILL/ },
);

const TORN = traceback("RuntimeError: [enforce fail at inline_container.cc:668] . unexpected pos 1664 vs 1558");
const save = { exits: [exit(1, 1000, { code: 1 }), ...stopped(1)], tails: [err(1, TORN)] };

check("a save that tore, on a full disk", scene({ ...save, fullDisks: [{ host: "gpu-a", path: "/root" }] }), {
  kind: "exception",
  code: "NO_SPACE",
  text: /unexpected pos 1664 vs 1558 at train\.py:88 in step\(\); the disk of gpu-a \(\/root\) is full; 7 other ranks ended because of it$/,
});

check("a save that tore; another host's disk is full, which is no reason", scene({ ...save, fullDisks: [{ host: "gpu-b", path: "/root" }] }), {
  kind: "exception",
  code: "SAVE_FAILED",
  text: /vs 1558 at train\.py:88 in step\(\); 7 other ranks/,
});

check(
  "an exception that is not of writing, on a full disk",
  scene({ exits: save.exits, tails: [err(1, traceback("ValueError: bad batch"))], fullDisks: [{ host: "gpu-a", path: "/root" }] }),
  { kind: "exception", code: null, text: "rank 1 on gpu-a raised ValueError: bad batch at train.py:88 in step(); 7 other ranks ended because of it" },
);

const BAD = traceback("ValueError: bad batch");
const raised = (ranks: readonly number[]) => ({ exits: ranks.map((rank) => exit(rank, 1000 + rank, { code: 1 })), tails: ranks.map((rank) => err(rank, BAD)) });

check("all ranks raised the same: none is a victim", scene(raised([0, 1, 2, 3, 4, 5, 6, 7])), {
  kind: "exception",
  text: "rank 0 on gpu-a raised ValueError: bad batch at train.py:88 in step(); all 8 ranks raised the same",
});

const three = raised([1, 2, 5]);
check(
  "some ranks raised the same, the others were ended because of it",
  scene({ ...three, exits: [...three.exits, ...stopped(1).filter(({ rank }) => rank !== 2 && rank !== 5)] }),
  { kind: "exception", text: /in step\(\); ranks 2 and 5 raised the same; 5 other ranks ended because of it$/ },
);

check(
  "another exception is not the same",
  scene({
    exits: [exit(1, 1000, { code: 1 }), exit(2, 1001, { code: 1 }), ...stopped(1).filter(({ rank }) => rank !== 2)],
    tails: [err(1, BAD), err(2, traceback("KeyError: 'x'"))],
  }),
  { kind: "exception", text: /in step\(\); 7 other ranks ended because of it$/ },
);

check(
  "kill -9 by hand",
  scene({ exits: [exit(3, 1000, { signal: "SIGKILL" }), exit(6, 1100, { code: 1 }), ...stopped(3).filter((e) => e.rank !== 6)], tails: [err(6, GLOO)] }),
  {
    kind: "signal",
    code: null,
    place: "signal:SIGKILL",
    text: "rank 3 on gpu-a was ended by SIGKILL; 7 other ranks ended because of it",
  },
);

check(
  "an exception; a victim on another host was heard of first",
  scene({
    exits: [exit(4, 900, { code: 1 }), exit(1, 1000, { code: 1 }), ...stopped(1).filter((e) => e.rank !== 4)],
    tails: [err(4, GLOO), err(1, traceback("ValueError: bad batch"))],
  }),
  {
    kind: "exception",
    code: null,
    place: "train.py:88 ValueError",
    text: "rank 1 on gpu-a raised ValueError: bad batch at train.py:88 in step(); 7 other ranks ended because of it",
  },
);

check(
  "two exceptions: the earlier by the hosts' clocks, though word of it came later",
  scene({
    exits: [exit(1, 0, { code: 1, seenAt: 50_500, heardAt: 1000 }), exit(6, 0, { code: 1, seenAt: 400, heardAt: 1500 })],
    clockOffsetMs: { "gpu-a": 50_000, "gpu-b": 0 },
    tails: [err(1, traceback("KeyError: 'later'")), err(6, traceback("KeyError: 'earlier'"))],
  }),
  { kind: "exception", text: /^rank 6 on gpu-b raised KeyError: 'earlier'/ },
);

check(
  "out of GPU memory",
  scene({
    exits: [exit(0, 1, { code: 1 }), ...stopped(0)],
    tails: [err(0, traceback("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."))],
  }),
  {
    kind: "gpu",
    code: "CUDA_OOM",
    place: "train.py:88 torch.OutOfMemoryError",
    text: /raised torch\.OutOfMemoryError: CUDA out of memory/,
  },
);

check(
  "a module that is not there is final",
  scene({ exits: [exit(7, 1, { code: 1 })], tails: [err(7, traceback("ModuleNotFoundError: No module named 'flash_attn'"))] }),
  {
    kind: "exception",
    code: "IMPORT_FAILED",
    isFinal: true,
    text: /^rank 7 on gpu-b raised ModuleNotFoundError: No module named 'flash_attn' at train\.py:88/,
  },
);

check(
  "a wrong argument is final",
  scene({ exits: [exit(0, 1, { code: 2 })], tails: [err(0, "usage: train.py [-h] --lr LR\ntrain.py: error: the following arguments are required: --lr\n")] }),
  {
    kind: "exit",
    place: "exit:2",
    isFinal: true,
    text: /^rank 0 on gpu-a was started wrongly \(exit 2\): train\.py: error: the following arguments are required: --lr/,
  },
);

check(
  "a program that cannot be run is final",
  scene({ exits: [exit(0, 1, { code: 127 })], tails: [err(0, "nexadist: cannot run ./train: No such file or directory\n")] }),
  {
    kind: "exit",
    isFinal: true,
    text: /^rank 0 on gpu-a could not be started \(exit 127\): nexadist: cannot run/,
  },
);

check("an exit status and nothing else", scene({ exits: [exit(0, 1, { code: 3 })], world: 1 }), {
  kind: "exit",
  code: null,
  place: "exit:3",
  text: "rank 0 on gpu-a exited with code 3",
});
check("a shell's 128 + n is a signal", scene({ exits: [exit(0, 1, { code: 139 })], world: 1 }), {
  kind: "signal",
  place: "signal:SIGSEGV",
  text: "rank 0 on gpu-a was ended by SIGSEGV",
});

check(
  "an exception told only by the error file, of a rank that had to be ended",
  scene({
    exits: [exit(0, 900, { code: 1 }), exit(5, 9000, { signal: "SIGKILL", isStopped: true })],
    tails: [err(0, NCCL_REMOTE)],
    errorFiles: [errorFile(5, "RuntimeError: labels are gone")],
  }),
  { kind: "exception", text: /^rank 5 on gpu-b raised RuntimeError: labels are gone/ },
);

check(
  "all waited in vain: the watchdog's time-out is the best there is",
  scene({ exits: [exit(5, 1000, { signal: "SIGABRT" }), ...stopped(5)], tails: [err(5, WATCHDOG)] }),
  {
    kind: "hang",
    code: "NCCL_WATCHDOG_TIMEOUT",
    text: /^rank 5 on gpu-b aborted: a collective was not done within/,
  },
);

check(
  "a time-out is no cause where a rank crashed, even if it came first",
  scene({ exits: [exit(5, 1000, { signal: "SIGABRT" }), exit(2, 2000, { signal: "SIGSEGV" })], tails: [err(5, WATCHDOG)] }),
  {
    kind: "signal",
    text: /^rank 2 on gpu-a was ended by SIGSEGV/,
  },
);

check(
  "only victims: still the first of them",
  scene({ exits: [exit(3, 1000, { code: 1 }), exit(6, 1001, { code: 1 })], tails: [err(3, GLOO), err(6, NCCL_REMOTE)] }),
  {
    kind: "network",
    code: "GLOO_PEER_CLOSED",
    text: /^rank 3 on gpu-a raised RuntimeError/,
  },
);

/** As torch's own hook prints it: nothing caught it. */
const uncaught = (error: string): string => traceback(error).replace(/^(?=.)/gm, "[rank3]: ");
const SLOW = [exit(2, 1000, { code: 1 }), ...stopped(3).filter(({ rank }) => rank !== 2)];

check(
  "torch aborts while it tears down after an exception",
  scene({
    exits: [exit(3, 1000, { signal: "SIGABRT" }), ...stopped(3)],
    tails: [err(3, `${uncaught("ValueError: bad batch")}terminate called without an active exception\nFatal Python error: Aborted\n`)],
  }),
  { kind: "exception", place: "train.py:88 ValueError", text: /^rank 3 on gpu-a raised ValueError: bad batch at train\.py:88 in step\(\); 7 other/ },
);

for (const end of [
  { code: 1, isStopped: true },
  { signal: "SIGTERM", isStopped: true },
  { signal: "SIGTERM", isStopped: false },
  { signal: "SIGKILL", isStopped: true },
]) {
  check(
    `a rank that was slow to end after its exception, its victim was quicker: ${JSON.stringify(end)}`,
    scene({ exits: [...SLOW, exit(3, 3000, end)], tails: [err(2, GLOO), err(3, uncaught("ValueError: bad batch"))] }),
    { kind: "exception", text: /^rank 3 on gpu-a raised ValueError: bad batch/ },
  );
}

check(
  "a traceback that the program logged long before it was ended is no cause",
  scene({ exits: [...SLOW, exit(3, 3000, { signal: "SIGTERM", isStopped: true })], tails: [err(2, GLOO), err(3, traceback("ValueError: tried again"))] }),
  { kind: "network", text: /^rank 2 on gpu-a raised RuntimeError/ },
);

check(
  "what a program raises because it is asked to end is no cause",
  scene({ exits: [...SLOW, exit(3, 3000, { code: 1, isStopped: true })], tails: [err(2, GLOO), err(3, traceback("trainer.SIGTERMException: got a signal"))] }),
  { kind: "network", text: /^rank 2 on gpu-a raised RuntimeError/ },
);

const WAYS = ["gpu-a gpu-b", "gpu-b gpu-a"].map((way) => ({ from: way.split(" ")[0] ?? "", to: way.split(" ")[1] ?? "", isBad: true }));

check(
  "ranks of two hosts that cannot reach each other blame one another: the link is named, and no rank",
  scene({ exits: [exit(5, 1000, { code: 1 }), ...stopped(5)], tails: [err(5, GLOO)], ways: WAYS }),
  { kind: "network", place: "ways:gpu-a and gpu-b cannot reach each other", text: "gpu-a and gpu-b cannot reach each other; 8 ranks ended because of it" },
);

check(
  "hosts that cannot reach each other when a rank has raised an error of its own: that ended the attempt",
  scene({ exits: [exit(5, 1000, { code: 1 }), ...stopped(5)], tails: [err(5, traceback("ValueError: x"))], ways: WAYS }),
  { kind: "exception", text: /^rank 5 on gpu-b raised ValueError: x/ },
);
