/** Why an attempt ended: the first failure and its victims, for each way in which ranks end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Evidence } from "../../../cluster/cause/evidence.ts";
import { rootCause } from "../../../cluster/cause/root-cause.ts";
import { err, errorFile, exit, GLOO, launcherErr, NCCL_REMOTE, pidOf, scene, traceback, WATCHDOG } from "./scenes.ts";

type Wanted = {
  readonly kind: string;
  readonly text: string | RegExp;
  readonly code?: string | null;
  readonly place?: string | null;
  readonly isFinal?: boolean;
};

function check(name: string, evidence: Evidence, wanted: Wanted): void {
  test(name, () => {
    const cause = rootCause(evidence);
    if (typeof wanted.text === "string") assert.equal(cause.text, wanted.text);
    else assert.match(cause.text, wanted.text);
    assert.equal(cause.kind, wanted.kind);
    if (wanted.code !== undefined) assert.equal(cause.code, wanted.code);
    if (wanted.place !== undefined) assert.equal(cause.place, wanted.place);
    assert.equal(cause.isFinal, wanted.isFinal ?? false);
    assert.ok(cause.evidence.length <= 12 && cause.evidence.every((line) => /^[\w.-]+( [\w.]+)*: \S/.test(line)), cause.evidence.join("\n"));
  });
}

const stopped = (from: number): Evidence["exits"] =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((rank) => rank !== from).map((rank) => exit(rank, 5000 + rank, { signal: "SIGTERM", isStopped: true }));

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
  text: "rank 0 on gpu-a exited with status 3",
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

check(
  "a lost host, whose peers noticed before we did",
  scene({
    exits: [0, 1, 2, 3].map((rank) => exit(rank, 1000 + rank, { code: 1 })),
    tails: [0, 1, 2, 3].map((rank) => err(rank, GLOO)),
    troubles: [{ host: "gpu-b", kind: "lost", why: "no answer for 10 s, and gpu-a does not reach it either", since: 4000 }],
  }),
  {
    kind: "host-lost",
    place: null,
    text: "gpu-b is lost: no answer for 10 s, and gpu-a does not reach it either; 4 other ranks ended because of it",
  },
);

check(
  "a host that was started again",
  scene({ exits: [exit(0, 1000, { code: 1 })], tails: [err(0, GLOO)], troubles: [{ host: "gpu-b", kind: "rebooted", why: "", since: 500 }] }),
  {
    kind: "host-rebooted",
    text: /^gpu-b was started again, so its ranks are gone; 4 other ranks ended/,
  },
);

check(
  "a shim that was killed",
  scene({ exits: stopped(5).filter(({ rank }) => rank < 4), troubles: [{ host: "gpu-b", kind: "shim-lost", why: "", since: 500 }] }),
  { kind: "shim", text: /^gpu-b lost the shim of the attempt/ },
);

check(
  "torchrun itself was killed",
  scene({ exits: stopped(0), launchers: [{ host: "gpu-a", code: null, signal: "SIGKILL", heardAt: 100, isStopped: false }] }),
  {
    kind: "launcher",
    text: "torchrun on gpu-a was ended by SIGKILL; 8 ranks ended because of it",
  },
);

check(
  "torchrun's word on a failed worker is not a cause of its own",
  scene({
    exits: [exit(1, 1000, { code: 1 })],
    launchers: [{ host: "gpu-a", code: 1, signal: null, heardAt: 900, isStopped: false }],
    tails: [err(1, traceback("ValueError: x")), launcherErr("gpu-a", traceback("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: "))],
  }),
  { kind: "exception", text: /^rank 1 on gpu-a raised ValueError: x/ },
);

check(
  "torchrun never came to start a rank",
  scene({
    world: 2,
    ranks: [],
    launchers: [{ host: "gpu-b", code: 1, signal: null, heardAt: 9, isStopped: false }],
    tails: [
      launcherErr(
        "gpu-b",
        "[c10d] The client socket has timed out after 60000ms while trying to connect to (100.64.0.1, 29400).\n" +
          traceback(
            "torch.distributed.DistNetworkError: The client socket has timed out after 60000ms while trying to connect to (100.64.0.1, 29400).",
            "run.py",
            9,
            "main",
          ),
      ),
    ],
  }),
  { kind: "launcher", code: "STORE_UNREACHABLE", text: /^torchrun on gpu-b raised torch\.distributed\.DistNetworkError: The client socket has timed out/ },
);

check(
  "no accelerate there",
  scene({
    ranks: [],
    launcher: "accelerate",
    launchers: [{ host: "gpu-a", code: 1, signal: null, heardAt: 9, isStopped: false }],
    tails: [launcherErr("gpu-a", "/usr/bin/python3: No module named accelerate\n")],
  }),
  {
    kind: "launcher",
    isFinal: true,
    text: /^accelerate on gpu-a was started wrongly \(exit 1\): \/usr\/bin\/python3: No module named accelerate/,
  },
);

check(
  "what torchrun saw of a rank that the shim could not see",
  scene({
    exits: [exit(1, 1000, {})],
    tails: [launcherErr("gpu-a", `E1124 api.py:1002] failed (exitcode: -11) local_rank: 1 (pid: ${pidOf(1)}) of binary: /usr/bin/python3\n`)],
  }),
  {
    kind: "signal",
    place: "signal:SIGSEGV",
    text: /^rank 1 on gpu-a was ended by SIGSEGV/,
  },
);

check(
  "a GPU fell off the bus under a rank that only crashed",
  scene({
    exits: [exit(4, 60_000, { signal: "SIGABRT" })],
    kernel: [{ host: "gpu-b", at: 59_000, text: "NVRM: Xid (PCI:0000:2b:00): 79, GPU has fallen off the bus." }],
  }),
  {
    kind: "gpu",
    code: "XID_BUS",
    text: /^gpu-b has a GPU that failed \(0000:2b:00\): a GPU has fallen off the bus/,
  },
);

check(
  "an old Xid says nothing about an exception of today",
  scene({
    exits: [exit(4, 600_000, { code: 1 })],
    tails: [err(4, traceback("ValueError: x"))],
    kernel: [{ host: "gpu-b", at: 599_000, text: "NVRM: Xid (PCI:0000:2b:00): 79, GPU has fallen off the bus." }],
  }),
  { kind: "exception", text: /ValueError/ },
);

check(
  "ended because nothing moved",
  scene({
    exits: stopped(8),
    ended: { kind: "hang", text: "rank 5 on gpu-b is in dataloader.py:88; 7 ranks wait for it", host: "gpu-b", rank: 5, code: null },
  }),
  {
    kind: "hang",
    text: /^rank 5 on gpu-b is in dataloader\.py:88; 7 ranks wait for it/,
  },
);

check("a SIGTERM from outside, where nothing else happened", scene({ exits: [exit(1, 10, { signal: "SIGTERM" }), ...stopped(1)] }), {
  kind: "signal",
  place: "signal:SIGTERM",
  text: /^rank 1 on gpu-a was ended by SIGTERM; 7/,
});
check("nothing is known", scene({}), { kind: "unknown", place: null, text: "the attempt ended, and nothing says why" });

test("evidence is harmless to a terminal and short", () => {
  const hostile = traceback(`ValueError: \u001b]0;title\u0007 \u202egnp ${"x".repeat(5000)}`);
  const cause = rootCause(scene({ exits: [exit(0, 1, { code: 1 })], tails: [err(0, hostile)] }));
  for (const text of [cause.text, cause.place ?? "", ...cause.evidence]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    assert.doesNotMatch(text, /[\u0000-\u001f\u202e]/);
    assert.ok(text.length <= 700);
  }
});
