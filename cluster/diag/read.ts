/** Reading a section of a probe: what is missing, cut, refused or not understood ends the judge with its reason, and so never passes. */

import * as z from "zod";
import type { HostProbe, Judgement, Section } from "./check.ts";

/** Thrown by a reader inside a judge: this check cannot say, and why. */
export class CannotSay extends Error {
  readonly status: "skip" | "error";
  constructor(status: "skip" | "error", why: string) {
    super(why);
    this.status = status;
  }
}

export const cannotSay = (why: string): CannotSay => new CannotSay("error", why);
export const notLooked = (why: string): CannotSay => new CannotSay("skip", why);

export const pass = (observed: string, more: Partial<Judgement> = {}): Judgement => ({ status: "pass", observed, ...more });
export const warn = (observed: string, more: Partial<Judgement> = {}): Judgement => ({ status: "warn", observed, ...more });
export const failed = (observed: string, more: Partial<Judgement> = {}): Judgement => ({ status: "fail", observed, ...more });
export const skip = (observed: string): Judgement => ({ status: "skip", observed });

const WORD_MAX = 200;
/** The first line of what a program said, bounded. */
export const said = (text: string): string => (text.trim().split("\n")[0] ?? "").slice(0, WORD_MAX);

/** A section that was asked and whose program ended, whatever its exit status. Throws CannotSay. */
export function ended(probe: HostProbe, name: string): Section & { readonly code: number } {
  const section = probe.sections[name];
  if (section === undefined) throw notLooked(`${name} was not looked at`);
  const { code, why } = section;
  if (why !== undefined && /is not there$/.test(why)) throw notLooked(why);
  if (code === null || why !== undefined) throw cannotSay(`${name}: ${why ?? "it did not end"}`);
  return { ...section, code };
}

/** What it said when all went well. Throws CannotSay. */
export function textOf(probe: HostProbe, name: string): string {
  const { code, out, err } = ended(probe, name);
  if (code !== 0) throw cannotSay(`${name}: ${said(err) || said(out) || `exit status ${code}`}`);
  if (out.trim() === "") throw cannotSay(`${name}: it said nothing`);
  return out;
}

/** The JSON that python/probe.py made of a section. Throws CannotSay. */
export function jsonOf<T>(probe: HostProbe, name: string, shape: z.ZodType<T>): T {
  const text = textOf(probe, name);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw cannotSay(`${name}: what it said cannot be read: ${said(text)}`);
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw cannotSay(`${name}: what it said is not understood: ${said(text)}`);
  return parsed.data;
}

const texts = z.record(z.string().regex(/^\/(proc|sys|etc|run|usr|var)\//), z.string().nullable());
/** Where none of the files is there, that is an answer: so it must be told from a text that is none. */
const answer = z.union([
  z.object({ asked: z.array(z.string()).min(1), files: texts }),
  texts.refine((found) => Object.keys(found).length > 0).transform((files) => ({ files })),
]);
export type Files = ReadonlyMap<string, string>;

/** Path → text of a section that reads files; those that are not there are missing. Throws CannotSay, also where one may not be read. */
export function filesOf(probe: HostProbe, name: string): Files {
  const found = Object.entries(jsonOf(probe, name, answer).files);
  return new Map(
    found.map(([path, text]) => {
      if (text === null) throw cannotSay(`${path} may not be read`);
      return [path, text];
    }),
  );
}

/** One number that a file consists of. Throws CannotSay. */
export function numberIn(text: string | undefined, what: string): number {
  const word = text?.trim() ?? "";
  if (!/^-?\d+(\.\d+)?$/.test(word)) throw cannotSay(`${what}: ${word === "" ? "empty" : said(word)}`);
  return Number(word);
}

/** Ends a kernel log that arrived whole: python/probe_calls.py. */
const LOG_END = "# end of the kernel log";

/** Lines of the kernel log of this boot, newest last. Throws CannotSay: a log that may not be read, or that is cut, is never a clean one. */
export function kernelLog(probe: HostProbe, name = "kernel_log"): readonly string[] {
  const { code, out, err } = ended(probe, name);
  if (code !== 0) throw notLooked(`the kernel log cannot be read: ${said(err).replace(/^PermissionError: /, "")}`);
  const lines = out.trimEnd().split("\n");
  if (!/^# (journalctl|dmesg)/.test(lines[0] ?? "") || lines.at(-1) !== LOG_END || lines.length < 3) throw cannotSay("the kernel log is not whole");
  return lines.slice(1, -1);
}
