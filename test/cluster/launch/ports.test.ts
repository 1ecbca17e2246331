/** Which host's shim holds which port. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { portsToHold, storeHost } from "../../../cluster/launch/ports.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import { someHost } from "./fixtures.ts";

const hosts = [someHost("a"), someHost("b")];
const held = (spec: Partial<RunSpec>, host: string) => portsToHold({ rdzv: null, rdzvPorts: null, launcher: "torchrun", ...spec }, hosts, host);

test("torchrun: the rendezvous' and rank 0's, both fresh", () => {
  assert.deepEqual(held({}, "a"), {
    ports: [
      { use: "rdzv", port: 0 },
      { use: "master", port: 0 },
    ],
    range: [20_000, 29_999],
  });
  assert.deepEqual(held({}, "b").ports, []);
});

test("a named port is the rendezvous' under torchrun and MASTER_PORT elsewhere", () => {
  const rdzv = { host: "b", port: 29_500 };
  assert.deepEqual(held({ rdzv }, "a").ports, [{ use: "master", port: 0 }]);
  assert.deepEqual(held({ rdzv }, "b").ports, [{ use: "rdzv", port: 29_500 }]);
  for (const launcher of ["direct", "torchrun-static", "accelerate", "command"] as const) {
    assert.deepEqual(held({ launcher, rdzv: { host: "a", port: 29_500 } }, "a").ports, [{ use: "master", port: 29_500 }]);
    assert.deepEqual(held({ launcher }, "b").ports, []);
  }
});

test("the file's range is taken", () => assert.deepEqual(held({ rdzvPorts: [30_000, 30_010] }, "a").range, [30_000, 30_010]));

test("the store's host is named", () => {
  assert.deepEqual(storeHost({ rdzv: { host: "b", port: 1 }, launcher: "torchrun" }, hosts), { rdzv: "b", master: "a" });
  assert.deepEqual(storeHost({ rdzv: null, launcher: "direct" }, hosts), { rdzv: null, master: "a" });
});
