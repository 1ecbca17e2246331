/** The kinds of scalar a cluster file holds, as zod types whose errors say what was expected. */

import * as z from "zod";
import { expandRange } from "./host-range.ts";
import { checkHost, checkInterface, checkModule, checkRunName, checkUser, checkVariable, MAX_VARIABLE_BYTES, oneLine } from "./names.ts";
import { parseEndpoint, parsePorts } from "./rendezvous.ts";
import { DURATION, durationMs, MAX_DURATION_MS, SIZE, sizeBytes } from "./units.ts";

type Check = (text: string) => string | null;

const checked = (expected: string, check: Check) =>
  z.string(`expected ${expected}`).superRefine((text, context) => {
    const wrong = check(text);
    if (wrong !== null) context.addIssue({ code: "custom", message: wrong });
  });
const quoted =
  (check: Check): Check =>
  (text) => {
    const wrong = check(text);
    return wrong === null ? null : `\`${text.length > 80 ? `${text.slice(0, 80)}…` : text}\` ${wrong}`;
  };
const whyNot =
  (parse: (text: string) => { ok: true } | { ok: false; why: string }): Check =>
  (text) => {
    const parsed = parse(text);
    return parsed.ok ? null : parsed.why;
  };

const checkRange: Check = (text) => {
  const control = oneLine(text);
  if (control !== null) return control;
  if (/^\[[\da-fA-F:.]*:[\da-fA-F:.]*\]$/.test(text)) return checkHost(text);
  const expanded = expandRange(text);
  if (!expanded.ok) return expanded.why;
  for (const name of expanded.names) {
    const wrong = checkHost(name);
    if (wrong !== null) return wrong;
  }
  return null;
};

export const text = (expected: string) => checked(expected, quoted(oneLine));
export const host = checked("a host name, an address, or a range such as gpu[01-16]", quoted(checkRange));
export const user = checked("a user name", quoted(checkUser));
export const networkInterface = checked("the name of a network interface", quoted(checkInterface));
export const runName = checked("a name", quoted(checkRunName));
export const moduleName = checked("a module name such as pkg.train", quoted(checkModule));
export const endpoint = checked("host:port, or a host", whyNot(parseEndpoint));
export const ports = checked("a range of ports such as 20000-20100", whyNot(parsePorts));
export const lines = checked("a file, or lines for bash", (value) =>
  value.includes("\0") ? "holds a NUL character" : value.trim() === "" ? "is empty" : null,
);
export const port = z.int("expected a port: 1 to 65535").min(1, "expected a port: 1 to 65535").max(65535, "expected a port: 1 to 65535");
export const whole = (least: number, most: number) => {
  const words = `expected a whole number, ${least} to ${most}`;
  return z.int(words).min(least, words).max(most, words);
};
const priceWords = "expected a price: a number, such as 2.49";
export const price = z.number(priceWords).min(0, priceWords).max(1e6, priceWords);
export const choice = <const T extends readonly [string, ...string[]]>(values: T) => z.enum(values, { error: `expected one of ${values.join(", ")}` });

const durationWords = "expected a duration such as 30s, 5m or 1h30m (a bare number is seconds), at most 24d";
const isDuration = (value: string | number): boolean => {
  const ms = durationMs(value);
  return ms === null || ms <= MAX_DURATION_MS; // null: the pattern has said so
};
export const duration = z
  .union([z.string().regex(DURATION, durationWords), z.number().min(0, durationWords)], { error: durationWords })
  .refine(isDuration, durationWords);
export const positiveDuration = duration.refine((value) => durationMs(value) !== 0, "must be longer than 0");

/** For editors: numbers and the like are taken as the text that they are written in. */
const AS_WRITTEN = { type: ["string", "number", "boolean"] } as const;
export const word = z.string("expected text").meta(AS_WRITTEN);

/** Less would hold not even one frame of a log. */
const MIN_SIZE = 65_536;
const sizeWords = "expected a size such as 2GiB or 500MB (a bare number is bytes), at least 64KiB";
export const size = z
  .union([z.string().regex(SIZE, sizeWords), z.int(sizeWords).min(0, sizeWords)], { error: sizeWords })
  .refine((value) => (sizeBytes(value) ?? MIN_SIZE) >= MIN_SIZE, sizeWords);

const GPU_ID = /^(\d{1,3}|GPU-[\da-fA-F-]{8,64}|MIG-[\da-zA-Z/-]{8,100})$/;
const gpuWords = "expected a count, a list of indices or UUIDs, auto, or 0 with `slots`";
const idWords = "expected a GPU's index or UUID (GPU-… or MIG-…)";
const gpuId = z.union([z.int(idWords).min(0, idWords).max(255, idWords), z.string().regex(GPU_ID, idWords)], { error: idWords });
export const gpus = z
  .union(
    [
      z.int(gpuWords).min(0, gpuWords).max(256, "more than 256 GPUs on one host"),
      z.literal("auto", gpuWords),
      z.array(gpuId).min(1, "expected at least one GPU; for CPU ranks write `gpus: 0` and `slots: N`"),
    ],
    {
      error: (issue) => (Array.isArray(issue.input) ? "expected a list of indices (0, 1) or UUIDs (GPU-…, MIG-…), not empty" : gpuWords),
    },
  )
  .refine((value) => !Array.isArray(value) || new Set(value.map(String)).size === value.length, "the same GPU is here twice");

const bytes = new TextEncoder();
const variableName = z.string().superRefine((name, context) => {
  const wrong = quoted(checkVariable)(name);
  if (wrong !== null) context.addIssue({ code: "custom", message: wrong });
});
const variableValue = checked('text; for an empty value write ""', (value) => {
  if (value.includes("\0")) return "holds a NUL character";
  return bytes.encode(value).length > MAX_VARIABLE_BYTES ? "is longer than the 128 KiB that Linux takes" : null;
}).meta(AS_WRITTEN);
export const env = z.record(variableName, variableValue, {
  error: (issue) => (issue.code === "invalid_type" ? "expected a map of variables: NAME: value" : undefined),
});
