/** Why an attempt ended: hosts, launchers and GPUs that fail under ranks, and ends of our own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { rootCause } from "../../../cluster/cause/root-cause.ts";
import { check, stopped } from "./check.ts";
import { err, exit, GLOO, launcherErr, pidOf, scene, traceback } from "./scenes.ts";

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
  { kind: "shim", text: /^gpu-b lost the process that watches its ranks \(the shim\)/ },
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
