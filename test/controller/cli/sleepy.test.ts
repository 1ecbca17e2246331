/** Who is told that recovery pauses while their machine sleeps. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasBattery, sleepWords } from "../../../controller/cli/sleepy.ts";

test("a battery of its own makes a laptop; that of a mouse, or a power cord, does not", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nexa-power-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const supply = (name: string, files: Readonly<Record<string, string>>): void => {
    mkdirSync(join(dir, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, name, file), `${text}\n`);
  };
  assert.equal(hasBattery(join(dir, "absent")), false);
  supply("AC", { type: "Mains" });
  supply("hid", { type: "Battery", scope: "Device" });
  assert.equal(hasBattery(dir), false);
  supply("BAT0", { type: "Battery" });
  assert.equal(hasBattery(dir), true);
});

test("the cure is in the sentence; who has a seat, or a machine that does not sleep, hears nothing", () => {
  assert.match(sleepWords(null, ["gpu-a"], true) ?? "", /controller: \{seat: gpu-a\}/);
  assert.equal(sleepWords("gpu-a", ["gpu-a"], true), null);
  assert.equal(sleepWords(null, ["gpu-a"], false), null);
});
