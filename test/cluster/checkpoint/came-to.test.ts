/** How far training had come, out of lines as trainers print them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { cameTo, repeated } from "../../../cluster/checkpoint/came-to.ts";

const tail = (text: string, rank: number | null = 0) => ({ host: "a", stream: "rank0.out", rank, text });
const stepOf = (line: string): number | null => cameTo([tail(line)])?.step ?? null;

test("a step is told from a count, a plan, a time and a share", () => {
  for (const line of ["step 635", "step=635 loss=0.1", "{'loss': 0.1, 'step': 635}", "global_step: 635", "[iter 635/1000]", "Step #635.", "step_635 done"])
    assert.equal(stepOf(line), 635, line);
  const others = [
    "max step 635",
    "total steps: 635",
    "save_steps=635",
    "step 635s",
    "step: 0.635",
    "step 63.5%",
    "every step 635",
    "epoch 635",
    "footstep 635",
    "",
  ];
  for (const line of others) assert.equal(stepOf(line), null, line);
  assert.equal(cameTo([tail("step 9", null)]), null, "a launcher's words are no rank's");
});

test("the furthest rank counts, and what the logs say of saving", () => {
  const came = cameTo([tail("step 610\nSaving model checkpoint to out/checkpoint-600\nstep 630\nstep 12", 1), tail("step 635", 3), tail("step 635", 2)]);
  assert.deepEqual(came, { rank: 2, step: 635, saved: 600 });
  assert.deepEqual(cameTo([tail("checkpoint=/c/step_630 step=630")]), { rank: 0, step: 630, saved: 630 });
});

test("what is done again is counted, and a silent host that may hold more is named", () => {
  const came = { rank: 0, step: 635, saved: 630 };
  assert.deepEqual(repeated(null, 120, ["b"]), []);
  assert.deepEqual(repeated(came, 635, ["b"]), []);
  assert.deepEqual(repeated(came, 634, []), ["rank 0 had come to step 635 (its log); it goes on from step 634: 1 step is done again"]);
  assert.match(repeated(came, 0, [])[0] ?? "", /from the beginning: 635 steps are done again/);
  const [again, newer] = repeated(came, 120, ["100.66.164.18"]);
  assert.match(again ?? "", /from step 120: 515 steps are done again/);
  assert.match(newer ?? "", /^a newer checkpoint \(the log tells of one of step 630\) may be on 100\.66\.164\.18, .*on_host_loss: wait/);
  assert.equal(repeated(came, 630, ["b"]).length, 1, "the last that was saved is the one that was found");
  assert.match(repeated({ ...came, saved: null }, 120, ["b", "c"])[1] ?? "", /^a newer checkpoint may be on b, c,/);
});
