/** How far training had come, by the words of its own logs: steps after the last checkpoint are done again, and a person is told how many. */

import type { Tail } from "../cause/evidence.ts";

/** One number of a step, not a count of steps: no plural, and no word before it that speaks of a plan. */
const STEP =
  /(?<![\w-])(?<!\b(?:max|total|last|final|until|warmup|every|next|each|num|per)[ -])(?:global[ _-]?step|step|iter|iteration)["']?\s{0,3}[:=#_-]?\s{0,3}(\d{1,10})(?![\d.]*[%\w])/gi;
const SAVE = /\b(?:sav(?:ed|ing)|checkpoint|ckpt)\b/i;
const SAVED_STEP = /(?:checkpoint|ckpt|step|iter|global_step)[-_= ]?(\d{1,10})(?!\d)/gi;
const LINE_MAX = 1000;

export type CameTo = {
  readonly rank: number;
  readonly step: number;
  /** The highest step that a log speaks of saving; null: none does. */
  readonly saved: number | null;
};

/** null: no rank's log speaks of steps. */
export function cameTo(tails: readonly Tail[]): CameTo | null {
  let best: { rank: number; step: number } | null = null;
  let saved: number | null = null;
  for (const { rank, text } of tails) {
    if (rank === null) continue;
    for (const line of text.split(/[\r\n]/).map((each) => each.slice(0, LINE_MAX))) {
      const isSave = SAVE.test(line);
      const step = highest(line, STEP);
      const save = isSave ? highest(line, SAVED_STEP) : null;
      if (save !== null) saved = Math.max(saved ?? 0, save);
      const at = Math.max(step ?? -1, save ?? -1);
      if (at >= 0 && (best === null || at > best.step || (at === best.step && rank < best.rank))) best = { rank, step: at };
    }
  }
  return best === null ? null : { ...best, saved };
}

const highest = (line: string, pattern: RegExp): number | null => {
  const steps = [...line.matchAll(pattern)].map(([, digits]) => Number(digits));
  return steps.length === 0 ? null : Math.max(...steps);
};

/** What going on from `step` (0: from the beginning) costs. `silent`: hosts of the last attempt that cannot be asked what they hold. */
export function repeated(came: CameTo | null, step: number, silent: readonly string[]): readonly string[] {
  if (came === null || came.step <= step) return [];
  const steps = came.step - step;
  const from = step === 0 ? "from the beginning" : `from step ${step}`;
  const again = `rank ${came.rank} had come to step ${came.step} (its log); it goes on ${from}: ${steps} step${steps === 1 ? " is" : "s are"} done again`;
  if (silent.length === 0 || (came.saved !== null && came.saved <= step)) return [again];
  const which = came.saved === null ? "a newer checkpoint" : `a newer checkpoint (the log tells of one of step ${came.saved})`;
  const [who, wait] = [silent.join(", "), silent.length === 1 ? "it" : "them"];
  return [again, `${which} may be on ${who}, which cannot be asked; \`restart: {on_host_loss: wait}\` waits for ${wait} instead of going on`];
}
