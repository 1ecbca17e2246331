/** Keys and words that move a recording. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createReplay } from "../../tui/replay.ts";
import { MOVES, moveReplay, placeOf } from "../../tui/replay-moves.ts";
import { openRecorded } from "./support/recorded.ts";

const control = (name: "healthy" | "worker-killed") => createReplay(openRecorded(name), 0, () => 0).replay;

test("slower ends in standing still, faster in a bound", () => {
  const replay = control("healthy");
  const speeds = Array.from({ length: 12 }, () => [moveReplay(replay, "faster"), replay.speed()][1]);
  assert.deepEqual(speeds, [0.5, 1, 2, 5, 10, 30, 100, 1000, 1000, 1000, 1000, 1000]);
  for (let k = 0; k < 12; k += 1) moveReplay(replay, "slower");
  assert.equal(replay.speed(), 0);
  assert.match(moveReplay(replay, "slower"), /^it stands at 0\.0 s of \d+ s$/);
});

test("to just before the crash; where nothing went wrong it stays", () => {
  const killed = control("worker-killed");
  moveReplay(killed, "crash");
  assert.equal(killed.position(), (killed.crashAt ?? 0) - 5000);
  const healthy = control("healthy");
  assert.deepEqual([moveReplay(healthy, "crash"), healthy.position()], ["nothing went wrong in this recording", healthy.from]);
});

test("places: clocks, from here, shares, the end, the crash; what is none moves nothing", () => {
  const replay = control("worker-killed");
  replay.seek(replay.from + 20_000);
  const at = (text: string): number | null => {
    const place = placeOf(text, replay);
    return place === null ? null : (place - replay.from) / 1000;
  };
  assert.deepEqual(["30", "1:05", "1:00:00", "+10", "-10s", "0%"].map(at), [30, 65, 3600, 30, 10, 0]);
  assert.deepEqual([placeOf("end", replay), placeOf("crash", replay)], [replay.to, replay.crashAt]);
  assert.deepEqual(["", "soon", "1:2:3:4", "+-3", "50 %"].map(at), [null, null, null, null, null]);
  assert.equal(placeOf("crash", control("healthy")), null);
});

test("whatever is pressed, it stays within the recording", () => {
  const replay = control("worker-killed");
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...MOVES), { maxLength: 40 }), (moves) => {
      for (const move of moves) moveReplay(replay, move);
      assert.ok(replay.position() >= replay.from && replay.position() <= replay.to);
    }),
  );
});
