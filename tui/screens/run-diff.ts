/** The configuration of two runs, where it differs. */

import type { RunState } from "../../cluster/run/state.ts";
import { type SpecChange, specDiff } from "../../cluster/view/spec-diff.ts";
import { plural } from "../format.ts";
import { type Line, line, span } from "../line.ts";
import type { Wish } from "../screen.ts";
import { finish } from "./parts/finish.ts";
import { drawTable } from "./parts/table.ts";
import { nothing, sentence } from "./parts/words.ts";

/** Both are asked of the controller, one after the other. */
export const compareWish = (a: string, b: string): Wish => ({
  do: "ask-and-show",
  ask: { ask: "run", run: a },
  doing: `reading ${a}`,
  show: (first) => ({ do: "ask-and-show", ask: { ask: "run", run: b }, doing: `reading ${b}`, show: (second) => diffOverlay(stateOf(first), stateOf(second)) }),
});

const stateOf = (answer: unknown): RunState => (answer as { readonly state: RunState }).state;

export function diffOverlay(a: RunState, b: RunState): Wish {
  const changes = specDiff(a.spec, b.spec);
  const names = [a.spec.run, b.spec.run] as const;
  return {
    do: "overlay",
    title: `${names[0]} and ${names[1]}`,
    lines: (_, view) => finish(diffLines(changes, names, view.columns, view.isAscii), { ...view, rows: 10_000 }),
  };
}

/** Side by side where both fit, else below each other. */
const SIDE_BY_SIDE = 110;

function diffLines(changes: readonly SpecChange[], [a, b]: readonly [string, string], columns: number, isAscii: boolean): readonly Line[] {
  if (changes.length === 0)
    return nothing("They were asked for with the same configuration.", "Their code may differ all the same: git diff, or the snapshots of both.");
  const head = line(` ${plural(changes.length, "difference")}; secrets are not compared`, "dim");
  if (columns < SIDE_BY_SIDE)
    return [
      head,
      ...changes.flatMap(({ key, a: left, b: right }) => [
        [],
        line(` ${key}`, "title"),
        ...sentence(`${a}: ${left ?? "not set"}`, columns, left === null ? "dim" : "plain", 3),
        ...sentence(`${b}: ${right ?? "not set"}`, columns, right === null ? "dim" : "accent", 3),
      ]),
    ];
  const room = Math.floor((columns - 8) / 3);
  return [
    head,
    ...drawTable<SpecChange>({
      columns: [
        { title: "KEY", of: ({ key }) => key, drop: 0, most: room },
        { title: a, of: ({ a: value }) => (value === null ? span("not set", "dim") : value), drop: 0, most: room },
        { title: b, of: ({ b: value }) => span(value ?? "not set", value === null ? "dim" : "accent"), drop: 0, most: room },
      ],
      rows: changes,
      chosen: -1,
      top: 0,
      height: changes.length,
      width: columns,
      isAscii,
    }),
  ];
}
