/** What is told as new after a takeover. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_DATA } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { catchUp } from "../../../controller/daemon/catch-up.ts";

const line = (type: string) => ({ i: 0, event: { at: 1, type } as unknown as RunEvent });

test("what the files held is not told again; what comes after it is, and all of a later attempt", () => {
  const isOld = catchUp([line("taken-over")], 2);
  assert.deepEqual(
    [FRAME_DATA, FRAME_DATA, 10, 10, FRAME_DATA].map((bytes) => isOld("a", "a2/rank0.out", bytes)),
    [true, true, true, false, false],
  );
  assert.equal(isOld("b", "a2/rank0.out", 1), true, "each stream for itself");
  assert.equal(isOld("a", "a3/rank0.out", 10), false);
});

test("a controller that goes on from its own journal has them already", () => {
  for (const lines of [[line("requested")], [line("taken-over"), line("host-seen")]]) assert.equal(catchUp(lines, 1)("a", "a1/rank0.out", 10), false);
});
