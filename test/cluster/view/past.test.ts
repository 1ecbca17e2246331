/** What ended the attempts before the present one stays readable for as long as the run is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { statusLines } from "../../../cluster/view/status.ts";
import { play } from "../run/play.ts";

test("status tells what ended each earlier attempt, the last five of many, the latest first, and nothing twice", () => {
  const run = play({ max: 10 });
  const said = (): readonly string[] => statusLines(run.state(), 2000).filter((line) => / ended: |earlier attempt/.test(line));
  assert.deepEqual(said(), []);
  run.fails({ text: "rank 1 broke", place: "p0" }, 1);
  assert.deepEqual(said(), [], "the present one is told by itself");
  run.again();
  assert.deepEqual(said(), ["attempt 1 (3 ranks) ended: rank 1 broke"]);
  for (let k = 2; k <= 7; k++) {
    run.fails({ text: `cause ${k}\nmore`, place: `p${k}` }, k);
    run.again();
  }
  assert.deepEqual(said(), [...[7, 6, 5, 4, 3].map((k) => `attempt ${k} (3 ranks) ended: cause ${k}`), "2 earlier attempts: nexadist status --json"]);
});
