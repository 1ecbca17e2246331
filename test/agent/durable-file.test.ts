/** Journals: what was appended is there after any end, a torn tail is not, and closing waits for what is on its way. */

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openJournal, readLines } from "../../agent/durable-file.ts";

test("a torn tail is cut off, wherever it was torn; what follows begins a line of its own", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nxd-journal-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "j");
  const never = (error: Error): void => assert.fail(error);
  const first = openJournal(path, never);
  await Promise.all([first.append('{"a":1}'), first.append('{"é":2}')]);
  first.close();
  const whole = readFileSync(path);
  for (let cut = whole.length; cut >= 0; cut--) {
    rmSync(path);
    appendFileSync(path, whole);
    truncateSync(path, cut);
    const kept = whole.subarray(0, cut).toString("latin1").split("\n").length - 1;
    const journal = openJournal(path, never);
    assert.equal(journal.lines.length, kept);
    const appended = journal.append('{"new":3}');
    journal.close();
    journal.close();
    await appended;
    assert.deepEqual(readLines(path).lines, ['{"a":1}', '{"é":2}'].slice(0, kept).concat('{"new":3}'));
  }
});
