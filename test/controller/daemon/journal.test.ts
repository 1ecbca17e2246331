/** The journal keeps every whole line and cuts what a crash tore, wherever it tore it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { nextAgentEvent } from "../../../controller/daemon/entries.ts";
import { lineText, openJournal, readLines } from "../../../controller/daemon/journal.ts";
import { needsRoot } from "../../support/lab.ts";

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
    const cut = `{"i":1,"ev\0\n${lineText({ i: 2, ...seen("c", 3) })}`;
    appendFileSync(join(dir, "journal.jsonl"), cut);
    const again = openJournal(dir);
    again.close();
    assert.equal(again.lines.length, 1);
    const [name, ...others] = readdirSync(dir).filter((file) => file.startsWith("journal.jsonl.bad-"));
    assert.deepEqual(others, []);
    assert.equal(readFileSync(join(dir, name ?? ""), "utf8"), cut, "what was cut off is kept for a person");
    assert.equal(statSync(join(dir, name ?? "")).mode & 0o077, 0);
    openJournal(dir).close();
    assert.equal(readdirSync(dir).filter((file) => file.startsWith("journal.jsonl.bad-")).length, 1, "a whole journal is cut no more");
  });
});

test("a line number that is missing ends the journal too", () => {
  const line = (i: number): string => lineText({ i, ...seen("a", i) });
  assert.equal(readLines(Buffer.from(line(0) + line(2))).lines.length, 1);
  assert.equal(readLines(Buffer.from(line(0) + line(0))).lines.length, 1);
  assert.equal(readLines(Buffer.from(`${line(0)}null\n`)).lines.length, 1);
  assert.equal(readLines(Buffer.from(`${line(0)}7\n[]\n`)).lines.length, 1);
});

const FULL_DISK = fileURLToPath(new URL("full-disk.ts", import.meta.url));
/** Runs a case of full-disk.ts after `before`, a shell's words that make writing fail. */
function onFullDisk(what: string, before: string, dir: string): Record<string, unknown> {
  const out = execFileSync("sh", ["-c", `${before} && exec "$@"`, "sh", process.execPath, FULL_DISK, what, dir], { encoding: "utf8", timeout: 60_000 });
  return JSON.parse(out) as Record<string, unknown>;
}

test("writes that the kernel cuts in two: each append is on disk whole or not at all, and what was there stays", () => {
  withDir((dir) => {
    // 192 blocks of 512 bytes; a file may hold no more, and a write that crosses it is short.
    const found = onFullDisk("cutWrites", "ulimit -f 192", dir);
    assert.deepEqual([found.codes, found.wrong, found.torn], [["EFBIG"], 0, 0], JSON.stringify(found));
    assert.equal(found.lines, found.kept);
    assert.ok(Number(found.size) > 80_000, "it was written to near the limit");
  });
});

/** Mounts a small disk in a mount namespace of its own, which goes with the process. */
const smallDisk = (dir: string): string => `unshare -m sh -c 'mount -t tmpfs -o size=256k none "$1" && shift && exec "$@"' sh '${dir}'`;
const onSmallDisk = (what: string, dir: string): Record<string, unknown> => {
  const out = execFileSync("sh", ["-c", `exec ${smallDisk(dir)} "$@"`, "sh", process.execPath, FULL_DISK, what, dir], { encoding: "utf8", timeout: 60_000 });
  return JSON.parse(out) as Record<string, unknown>;
};

test("a full disk: what was kept back takes a stop, then an append fails whole, and goes on when there is room", { skip: needsRoot }, () => {
  withDir((dir) => {
    const found = onSmallDisk("reserve", dir);
    assert.deepEqual([found.had, found.first, found.left], [true, "", false], "a stop fits");
    assert.equal(found.second, "ENOSPC");
    assert.deepEqual(found.full, { lines: 2, torn: 0 });
    assert.deepEqual([found.third, found.lines, found.kept], ["", 3, ["host-unseen", "stop-requested", "host-unseen"]]);
  });
});

test("a full disk under a live run: nothing is decided on what is not on disk, a person is told, and it goes on by itself", { skip: needsRoot }, () => {
  withDir((dir) => {
    const found = onSmallDisk("driver", dir);
    assert.deepEqual(found.during, { phase: "connecting", isTold: false, said: [], lines: { lines: 2, torn: 0 } }, JSON.stringify(found));
    const [first, ...more] = found.notices as readonly string[];
    assert.match(first ?? "", /journal cannot be written \(ENOSPC/);
    assert.deepEqual(more, ["the journal can be written again; going on"], "once each, however often it was tried");
    assert.equal(found.phase, "stopped");
    assert.deepEqual(found.types, ["requested", "controller-started", "host-unseen", "stop-requested"]);
    assert.deepEqual(found.said, ["host-unseen", "stop-requested", "done"]);
  });
});
