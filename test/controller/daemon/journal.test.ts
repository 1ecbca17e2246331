/** The journal keeps every whole line and cuts what a crash tore, wherever it tore it. */

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nextAgentEvent } from "../../../controller/daemon/driver.ts";
import { openJournal, readLines } from "../../../controller/daemon/journal.ts";

const seen = (host: string, at: number) => ({ event: { at, type: "host-seen", host } }) as const;

function withDir(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "journal-"));
  try {
    body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("what was appended is there after opening again, with its cursor", () => {
  withDir((dir) => {
    const first = openJournal(dir);
    first.append([seen("a", 1), { ...seen("b", 2), cursor: { host: "b", index: 4 } }]);
    first.close();
    const again = openJournal(dir);
    assert.deepEqual(
      again.lines.map((line) => [line.i, line.event.at]),
      [
        [0, 1],
        [1, 2],
      ],
    );
    assert.equal(nextAgentEvent(again.lines, "b"), 5);
    assert.equal(nextAgentEvent(again.lines, "a"), 0);
    again.close();
  });
});

test("cut at every byte: the whole lines before the cut are kept, never a line that was not written, and appending goes on", () => {
  withDir((dir) => {
    const journal = openJournal(dir);
    journal.append([seen("a", 1), seen("b", 2), seen("c", 3)]);
    journal.close();
    const path = join(dir, "journal.jsonl");
    const whole = readFileSync(path);
    for (let cut = 0; cut <= whole.length; cut += 1) {
      writeFileSync(path, whole.subarray(0, cut));
      const torn = openJournal(dir);
      const kept = torn.lines.length;
      assert.equal(kept, whole.subarray(0, cut).filter((byte) => byte === 10).length);
      torn.append([seen("d", 4)]);
      torn.close();
      assert.deepEqual(
        readLines(readFileSync(path)).lines.map((line) => line.event.at),
        [...[1, 2, 3].slice(0, kept), 4],
      );
    }
  });
});

test("a line that cannot be read ends the journal: nothing after it is trusted", () => {
  withDir((dir) => {
    const journal = openJournal(dir);
    journal.append([seen("a", 1)]);
    journal.close();
    appendFileSync(join(dir, "journal.jsonl"), `{"i":1,"ev\0\n${JSON.stringify({ i: 2, ...seen("c", 3) })}\n`);
    assert.equal(openJournal(dir).lines.length, 1);
  });
});
