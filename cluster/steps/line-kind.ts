/** Whether a line of a log shows that training gets on, and with what: words that trainers print around numbers that grow. */

/** step: numbers in it are steps. evaluation, saving: a phase that may take long and say nothing begins or goes on. noise: says that something waits; no progress. */
export type LineKind = "step" | "evaluation" | "saving" | "text" | "noise";

const NOISE = /\b(?:time[ds]? ?out|waiting|still|retry(?:ing)?|heartbeat|watchdog|stuck|hang|hung|no response|unresponsive)\b/i;
const SAVING = /\b(?:sav(?:e|es|ed|ing)|checkpoint(?:s|ed|ing)?|ckpt)\b/i;
const EVALUATION = /\b(?:eval(?:uat(?:e|es|ed|ing|ion))?|valid(?:at(?:e|es|ed|ing|ion))?|test(?:ing)?|infer(?:ence|ring)?|generat(?:e|ing))\b/i;
const STEP = /\b(?:steps?|iter(?:s|ation|ations)?|batch(?:es)?|epochs?|global_step|samples|tokens|it\/s|s\/it|loss)\b|\d+%\|/i;
/** Looked at of a line. */
export const LENGTH = 1000;

export function kindOf(line: string): LineKind {
  const text = line.slice(0, LENGTH);
  if (!/\S/.test(text)) return "noise";
  const hasStep = STEP.test(text) && /\d/.test(text);
  if (NOISE.test(text) && !hasStep) return "noise";
  if (SAVING.test(text) && !/\bloss\b/i.test(text)) return "saving";
  if (EVALUATION.test(text) && !/\d+%\|/.test(text)) return "evaluation";
  return hasStep ? "step" : "text";
}

/** The text without its numbers: two lines of one shape are the same statement at two times. */
export const shapeOf = (line: string): string => line.slice(0, LENGTH).replace(/\d+(?:[.,:]\d+)*(?:e[+-]?\d+)?|[#█▏▎▍▌▋▊▉ ]+/gi, "#");
