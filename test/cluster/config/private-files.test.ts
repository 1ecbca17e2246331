/** Files that a cluster file names as secret: all of them, each once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { privateFiles } from "../../../cluster/config/private-files.ts";

test("env_file, file: values and identities of every place are private; addresses and plain values are not", () => {
  const file = {
    env_file: "/p/run.env",
    env: { A: "file:/p/a.key", B: "file://server/x", C: "plain" },
    defaults: { identity: "/p/id", env: { D: "file:/p/d.key" } },
    cluster: ["gpu-a", { host: "gpu-b", identity: "/p/id", env: { E: "file:/p/e.key" } }],
    spares: [{ host: "gpu-c", identity: "/p/other" }],
  };
  assert.deepEqual(privateFiles(file as Parameters<typeof privateFiles>[0]), ["/p/run.env", "/p/a.key", "/p/id", "/p/d.key", "/p/e.key", "/p/other"]);
  assert.deepEqual(privateFiles({ cluster: "inventory" } as Parameters<typeof privateFiles>[0]), []);
});
