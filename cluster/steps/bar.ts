/** Progress bars: tqdm's (Hugging Face, axolotl, Lightning) with and without a total, and rich's (Lightning). */

import { readCount, readNumber } from "./numbers.ts";
import { type Said, SILENT } from "./said.ts";

/** Bars of what is not training. */
const OTHER =
  /\b(?:eval\w*|valid\w*|test\w*|sanity|predict\w*|infer\w*|generat\w*|sav\w*|writ\w*|load\w*|map|tokeniz\w*|filter\w*|group\w*|pack\w*|shards?|download\w*|fetch\w*|upload\w*|prepar\w*|process\w*|convert\w*|resolv\w*|creat\w*|build\w*|quantiz\w*|materializ\w*|drop\w*|add\w*|checking|files?|sampling)\b|\.[a-z]\w{1,11}:/i;
/** What a training step is never counted in. */
const OTHER_UNIT = /^(?:[kMG]?i?B|examples?|files?|tables?|docs?|rows?|shards?|tokens?|samples?)$/i;

const TQDM =
  /^(?<head>[^%]{0,200}?)\d{1,3}%\|[^|]*\| *(?<n>[\d.]{1,16}[kMG]?)\/(?<total>[\d.]{1,16}[kMG]?) \[[\d:]{1,12}<(?:[\d:]{1,12}|\?), *(?:(?<fast>[\d.]{1,16}[kMG]?) ?(?<unit>[A-Za-z]{1,12})\/s|(?<slow>[\d.]{1,16})s\/ ?(?<slowUnit>[A-Za-z]{1,12})|\?)(?<rest>.*)$/;
const TQDM_OPEN =
  /^(?<head>[^%]{0,200}?)(?<n>\d{1,16})(?<unit>it|steps?|batch(?:es)?) \[[\d:]{1,12}, *(?:(?<fast>[\d.]{1,16})(?:it|steps?|batch(?:es)?)\/s|(?<slow>[\d.]{1,16})s\/(?:it|steps?|batch(?:es)?))(?<rest>.*)$/;
const RICH =
  /^(?<head>[^━╸╺]{0,200}?)[━╸╺][━╸╺ ]{0,300} (?<n>\d{1,16})\/(?<total>\d{1,16}) [\d:.-]{1,12} • [\d:.-]{1,12} (?<fast>[\d.]{1,16})it\/s(?<rest>.*)$/;

const EPOCH = /\bepochs?\b[ :#]{0,3}(\d+)?/i;

/** `isInner`: it stands below another bar. null: it is no bar of a training. */
export function readBar(text: string, isInner: boolean): Said | null {
  const groups = (TQDM.exec(text) ?? TQDM_OPEN.exec(text) ?? RICH.exec(text))?.groups;
  if (groups === undefined) return null;
  const { head = "", n, total, fast, unit, slow, slowUnit } = groups;
  if (OTHER.test(head) || OTHER_UNIT.test(unit ?? slowUnit ?? "")) return null;
  const epoch = EPOCH.exec(head);
  const countsEpochs = epoch !== null && epoch[1] === undefined;
  const perS = readNumber(fast);
  const pace = slow === undefined ? (perS === null || perS === 0 ? null : 1000 / perS) : (readNumber(slow) ?? 0) * 1000;
  const step = readCount(n);
  return {
    ...SILENT,
    source: countsEpochs || /^epochs?$/i.test(unit ?? "") ? "epochs" : isInner ? "inner" : "bar",
    series: `bar ${isInner ? "below " : ""}${head.replace(/\d+/g, "#").trim()}`,
    step,
    total: readCount(total),
    epoch: readCount(epoch?.[1]),
    stepMs: pace,
  };
}
