/** Reads a line of a rank: what kind it is, and what it says of the training's progress. Works on the lines of the trainers people have, without configuration. */

import { readBar } from "./bar.ts";
import { readKeys } from "./keys.ts";
import { kindOf, LENGTH, type LineKind } from "./line-kind.ts";
import { readNumber } from "./numbers.ts";
import { type Said, SILENT } from "./said.ts";

export type ReadLine = { readonly kind: LineKind; readonly said: Said | null };

/** Colours, and where a terminal's cursor goes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they begin with
const ESCAPES = /\u001b\[[\d;?]*[A-Za-z]/g;
/** tqdm goes a line up after a bar that stands below another. */
const GOES_UP = "\u001b[A";
/** What nexa_dist.step prints. */
const CALL = /^nexadist: (step=.*)$/;

/** `pattern`: job.step_pattern of the file, which goes first. */
export function readLine(line: string, pattern: RegExp | null = null): ReadLine {
  const text = line.slice(0, LENGTH).replace(ESCAPES, "");
  const own = pattern?.exec(text)?.groups;
  if (own !== undefined) return { kind: "step", said: fromGroups(own) };
  const call = CALL.exec(text)?.[1];
  if (call !== undefined) return { kind: "step", said: fromCall(call) };
  const kind = kindOf(text);
  if (kind === "noise" || kind === "text" || kind === "saving") return { kind, said: null };
  const isBar = /\d%\||\dit \[|━/.test(text);
  if (isBar) return { kind, said: withLoss(readBar(text, line.includes(GOES_UP)), text) };
  return { kind, said: kind === "evaluation" ? null : readKeys(text) };
}

/** Bars carry the loss behind their rate, or before them (torchtune). */
function withLoss(bar: Said | null, text: string): Said | null {
  if (bar === null) return null;
  const behind = readKeys(text.slice(text.lastIndexOf("/s")));
  const said = behind?.loss == null ? readKeys(text.slice(0, text.indexOf("%|"))) : behind;
  return { ...bar, loss: said?.loss ?? null, rate: behind?.rate ?? null };
}

function fromGroups(groups: Readonly<Record<string, string | undefined>>): Said {
  const of = (name: string): number | null => readNumber(groups[name]);
  const tokens = of("tokens_per_second");
  const samples = of("samples_per_second");
  const seconds = of("step_time");
  return {
    ...SILENT,
    source: "pattern",
    series: "pattern",
    step: of("step"),
    total: of("total"),
    epoch: of("epoch"),
    loss: of("loss"),
    stepMs: seconds === null ? null : seconds * 1000,
    rate: tokens !== null ? { value: tokens, of: "tokens", isPerGpu: false } : samples !== null ? { value: samples, of: "samples", isPerGpu: false } : null,
  };
}

function fromCall(text: string): Said {
  const fields = new Map(text.split(" ").map((pair) => pair.split("=", 2) as [string, string | undefined]));
  const of = (name: string): number | null => readNumber(fields.get(name));
  const [step = "", total] = (fields.get("step") ?? "").split("/");
  const tokens = of("tokens/s");
  const busy = of("busy");
  return {
    ...SILENT,
    source: "call",
    series: "call",
    step: readNumber(step),
    total: readNumber(total),
    loss: of("loss"),
    rate: tokens === null ? null : { value: tokens, of: "tokens", isPerGpu: true },
    busyMs: busy === null ? null : busy * 1000,
  };
}
