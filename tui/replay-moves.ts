/** What a person does with a recording that plays: faster, slower, back, forward, to a time, to where it went wrong. Each answers with where it is now, in words. */

import { formatDuration } from "../cluster/view/duration.ts";
import type { ReplayControl } from "./source.ts";

export const MOVES = ["slower", "faster", "step-back", "step-on", "crash"] as const;
export type Move = (typeof MOVES)[number];

const SPEEDS: readonly number[] = [0, 0.5, 1, 2, 5, 10, 30, 100, 1000];
const STEP_MS = 10_000;
/** What led to the crash is to be seen too. */
const BEFORE_CRASH_MS = 5000;

export const isMove = (action: string): action is Move => (MOVES as readonly string[]).includes(action);

export function moveReplay(control: ReplayControl, move: Move): string {
  switch (move) {
    case "slower":
      control.setSpeed(SPEEDS.findLast((speed) => speed < control.speed()) ?? 0);
      break;
    case "faster":
      control.setSpeed(SPEEDS.find((speed) => speed > control.speed()) ?? control.speed());
      break;
    case "step-back":
      control.seek(control.position() - STEP_MS);
      break;
    case "step-on":
      control.seek(control.position() + STEP_MS);
      break;
    case "crash":
      if (control.crashAt === null) return "nothing went wrong in this recording";
      control.seek(control.crashAt - BEFORE_CRASH_MS);
  }
  return whereItIs(control);
}

export function whereItIs(control: ReplayControl): string {
  const at = `${formatDuration(control.position() - control.from)} of ${formatDuration(control.to - control.from)}`;
  return control.speed() === 0 ? `it stands at ${at}` : `x${control.speed()}, at ${at}`;
}

/** `seek WHEN`, typed as a command; null: it is another command. */
export function seekOf(text: string, control: ReplayControl): { readonly at: number } | { readonly problem: string } | null {
  const when = /^\s*seek\b\s*(.*?)\s*$/.exec(text)?.[1];
  if (when === undefined) return null;
  const at = placeOf(when, control);
  if (at !== null) return { at };
  return { problem: when === "crash" ? "nothing went wrong in this recording" : "seek 1:30, +30, -1:00, 40%, crash or end" };
}

/** `90`, `1:30`, `1:02:03` from its beginning; `+30`, `-1:00` from here; `40%`; `end`, `crash`. null: it is none of these. */
export function placeOf(text: string, control: ReplayControl): number | null {
  if (text === "end") return control.to;
  if (text === "crash") return control.crashAt;
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) return control.from + ((control.to - control.from) * Number(percent)) / 100;
  const [, sign, clock] = /^([+-]?)((?:\d+:){0,2}\d+(?:\.\d+)?)s?$/.exec(text) ?? [];
  if (clock === undefined) return null;
  const ms = clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * 1000;
  return sign === "+" ? control.position() + ms : sign === "-" ? control.position() - ms : control.from + ms;
}
