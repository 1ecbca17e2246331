/** The screen's terminal rings for turns of the run while it is shown: each once, none of before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../cluster/run/events.ts";
import { ringFor } from "../../tui/ring.ts";
import { createRunFold } from "../../tui/run-fold.ts";
import { play } from "../cluster/run/play.ts";

const NOTIFY = { on: ["failed", "recovered"], webhooks: 0, command: null, isBell: true } as const;

test("once for each turn that the file wants, none for those of before, nothing where the file wants no bell", () => {
  for (const notify of [NOTIFY, { ...NOTIFY, isBell: false }, { ...NOTIFY, on: ["hang"] as const }, undefined]) {
    const run = play({ max: 9 });
    const rung: string[] = [];
    let now = 0;
    let flush = (): void => undefined;
    let told = 0;
    const fold = createRunFold("r");
    const watch = (): void => {
      for (const event of run.events().slice(told)) {
        const given: RunEvent = event.type === "requested" && notify !== undefined ? { ...event, spec: { ...event.spec, notify } } : event;
        fold.take({ kind: "event", index: told++, event: given }, now);
        now = event.at;
      }
      flush();
      flush();
    };
    run.fails();
    run.again();
    run.pass(1);
    run.tell({ type: "controller-woke", sleptMs: 1 });
    ringFor(
      {
        fold: () => fold,
        now: () => now,
        subscribe: (listener) => {
          flush = listener;
          return () => true;
        },
      },
      { TERM: "xterm" },
      (bytes) => void rung.push(bytes),
    );
    watch();
    assert.deepEqual(rung, [], "that was before");
    for (let k = 0; k < 2; k++) {
      run.pass(1000);
      run.fails({ place: `p${k}` });
      run.again();
      watch();
    }
    assert.equal(rung.length, notify === NOTIFY ? 2 : 0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the sequence itself
    for (const bytes of rung) assert.match(bytes, /^\u0007\u001b\]9;[^\u0000-\u001f]*trains again[^\u0000-\u001f]*\u001b\\$/);
  }
});
