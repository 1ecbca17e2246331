/** Lines of names and numbers, as loggers print them: step, loss, time and rates, in any of the usual ways to write a pair. */

import { readCount, readNumber } from "./numbers.ts";
import { type Rate, type Said, SILENT } from "./said.ts";

/** Between a name and its number. */
const IS = `["']? {0,2}[\\s:=#["'(]{1,14}`;
const NUMBER = `([+-]?\\d[\\d,]*(?:\\.\\d+)?(?:e[+-]?\\d+)?|nan)`;
const begins = "(?<![\\w.-])";

/** One number of many of one kind, and a plural only with its total: "Total optimization steps = 1000" is none. */
const STEP = new RegExp(
  `${begins}(?<!\\b(?:max|total|num|per|every|save|log|logging|eval|warmup|accumulation)[ _])(?:(?:train_|optimizer_|training_)?step|global_step|iteration|iter|update)${IS}(\\d[\\d,]*)\\b(?![.\\d])(?: {0,9}(?:\\/|of) {0,9}(\\d[\\d,]*))?`,
  "i",
);
const GLOBAL_STEP = new RegExp(`${begins}global[_ ]step${IS}(\\d[\\d,]*)`, "i");
const STEPS_OF = new RegExp(`${begins}(?:steps|iters|iterations|batch|batches|it)${IS}(\\d[\\d,]*) {0,9}(?:\\/|of) {0,9}(\\d[\\d,]*)`, "i");
/** Epoch 3 [640/60000 (1%)]: torch's examples. */
const IN_EPOCH = /\bepoch(?:\(train\))?[\s:=]{0,4}\[?\d+\]?(?:\/\d+\]?)?[\s,:]{0,4}\[ {0,9}(\d+)\/ {0,9}(\d+)[\] (]/i;
const EPOCH = new RegExp(`${begins}epoch${IS}(\\d+(?:\\.\\d+)?)`, "i");
const LOSS = new RegExp(
  `${begins}(?<!\\b(?:eval|val|valid|validation|test|dev)[ _])(?:(?:reduced_)?(?:train|training|lm|avg|mean|total)[ _\\/])?loss(?:[_\\/ ](?:step|train|total)){0,3}${IS}${NUMBER}`,
  "i",
);
/** The mean of all, told at the end. */
const IS_END = /train_runtime["' :=]{1,6}.{1,200}train_loss/;

const STEP_TIME: readonly (readonly [RegExp, number])[] = [
  [new RegExp(`time per (?:iteration|step) ?\\(ms\\)${IS}${NUMBER}`, "i"), 1],
  [new RegExp(`${begins}(?:step|iter|iteration|batch)[ _](?:time|duration)["']?[\\s:=]{1,14}([\\d.]+) ?ms\\b`, "i"), 1],
  [new RegExp(`${begins}(?:step|iter|iteration|batch)[ _](?:time|duration)["']?[\\s:=]{1,14}([\\d.]+)`, "i"), 1000],
  [new RegExp(`${begins}(?:time|dt)["']?[\\s:=]{1,4}([\\d.]+) ?ms\\b`, "i"), 1],
  [new RegExp(`${begins}(?:time|dt)["']?[\\s:=]{1,4}([\\d.]+) ?s\\b`, "i"), 1000],
  [new RegExp(`step_timing in s${IS}${NUMBER}`, "i"), 1000],
  [new RegExp(`${begins}completed step.{1,20}seconds${IS}${NUMBER}`, "i"), 1000],
];

const PER_S = "(?:\\/|_per_|_| per )s(?:ec(?:ond)?)?";
const PER_GPU = "(?:\\/|_per_| per )(?:gpu|device)";
/** The word that each has, lest it be looked for in vain. */
const RATES: readonly (readonly [RegExp, Rate["of"], string])[] = [
  [new RegExp(`${begins}(?:train_)?tok(?:en)?s?(?:\\/train)?${PER_S}(?<each>${PER_GPU})?${IS}${NUMBER}`, "i"), "tokens", "tok"],
  [new RegExp(`${begins}tps${IS}${NUMBER}(?<each>(?=.{1,200}\\btflops\\b))?`, "i"), "tokens", "tps"],
  [/(?<![\w.,])([\d,]+(?:\.\d+)?[kKM]?) ?tok(?:en)?s?\/s(?:ec)?(?<each>\/gpu)?/i, "tokens", "tok"],
  [new RegExp(`${begins}(?:train_|curr)?samples(?:\\/|_per_| per |per)s(?:ec(?:ond)?)?(?<each>${PER_GPU})?${IS}${NUMBER}`, "i"), "samples", "samples"],
];

/** null: it says nothing of a training. */
export function readKeys(text: string): Said | null {
  const lower = text.toLowerCase(); // a word that is not there costs no pattern
  const has = (...words: readonly string[]): boolean => words.some((word) => lower.includes(word));
  const [step, total] = has("step", "iter", "update", "batch", "it", "epoch") ? stepOf(text) : [null, null];
  const loss = !has("loss") || IS_END.test(text) ? null : readNumber(LOSS.exec(text)?.[1]);
  const epoch = has("epoch") ? readNumber(EPOCH.exec(text)?.[1]) : null;
  const rate = has("tok", "tps", "samples") ? rateOf(text, lower) : null;
  if (step === null && loss === null && rate === null) return null;
  return {
    ...SILENT,
    source: "keys",
    series: `keys ${seriesOf(text)}`,
    step,
    total,
    epoch,
    loss,
    stepMs: has("time", "duration", "dt", "seconds") ? stepTimeOf(text) : null,
    rate,
  };
}

function stepOf(text: string): readonly [number | null, number | null] {
  const global = /global/i.test(text) ? GLOBAL_STEP.exec(text) : null;
  const own = STEP.exec(text) ?? STEPS_OF.exec(text) ?? IN_EPOCH.exec(text);
  if (global !== null && own?.[2] === undefined) return [readCount(global[1]), null];
  return [readCount(own?.[1]), readCount(own?.[2])];
}

function stepTimeOf(text: string): number | null {
  for (const [pattern, factor] of STEP_TIME) {
    const ms = readNumber(pattern.exec(text)?.[1]);
    if (ms !== null && ms > 0) return ms * factor;
  }
  return null;
}

function rateOf(text: string, lower: string): Rate | null {
  for (const [pattern, of, word] of RATES) {
    const match = lower.includes(word) ? pattern.exec(text) : null;
    const value = readNumber(match?.slice(1).find((part) => part !== undefined && /^\d/.test(part)));
    if (value !== null && value > 0) return { value, of, isPerGpu: match?.groups?.each !== undefined || /tps/i.test(match?.[0] ?? "") };
  }
  return null;
}

/** The words before the first number: what changes on every line is not among them. */
const seriesOf = (text: string): string =>
  text
    .replace(/\d[\d,.:eE+-]*/g, "#")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 80);
