/** Which attempt `logs` is about when none is named. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LogQuery } from "../../../cluster/viewer.ts";
import { lastWritten } from "../../../controller/daemon/log-sources.ts";
import { openLogStore } from "../../../controller/daemon/log-store.ts";

const want: LogQuery = { hosts: null, ranks: null, streams: ["out", "err", "nccl", "launcher"], attempt: null, since: null, last: null, follow: false };

test("an attempt that has written nothing yet gives way to the last that has, of what is wanted", () => {
  const dir = mkdtempSync(join(tmpdir(), "logs-"));
  try {
    assert.equal(lastWritten(dir, want, 3), 3, "nothing at all");
    const store = openLogStore(dir);
    store.write("h", "a1/rank0.err", 0, Buffer.from("e\n"), 1);
    store.write("h", "a2/rank0.out", 0, Buffer.from("o\n"), 2);
    store.write("h", "a3/rank0.out", 0, Buffer.from(""), 3);
    assert.equal(lastWritten(dir, want, 3), 2);
    assert.equal(lastWritten(dir, { ...want, streams: ["err"] }, 3), 1);
    assert.equal(lastWritten(dir, { ...want, ranks: [7] }, 3), 3, "never another rank's");
    store.write("h", "a3/rank0.out", 0, Buffer.from("n\n"), 4);
    assert.equal(lastWritten(dir, want, 3), 3);
    store.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
