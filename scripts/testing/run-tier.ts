/** Runs the test files of one tier in node's own runner and prints a line per file, and everything about what failed. */

import { join, relative } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import type { Tier } from "./tiers.ts";

export type Counts = { tests: number; suites: number; passed: number; failed: number; cancelled: number; skipped: number; todo: number };
export type Skip = { readonly file: string; readonly name: string; readonly reason: string };
export type TierResult = { readonly counts: Counts; readonly skips: readonly Skip[]; readonly failures: readonly string[]; readonly success: boolean };

/** Longest that one file may take: a hang ends as a failure with a name. */
const FILE_TIMEOUT_MS = 8 * 60_000;
/** Kept of what a file printed, for when it fails. */
const OUTPUT_TAIL = 20_000;

export const noCounts = (): Counts => ({ tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 });

export async function runTier(tier: Tier, files: readonly string[], root: string): Promise<TierResult> {
  const output = new Map<string, string>();
  const skips: Skip[] = [];
  const failures: string[] = [];
  let counts = noCounts();
  let success = true;
  const short = (file: string | undefined) => (file === undefined ? tier.name : relative(root, file));

  for await (const event of run({ files: files.map((file) => join(root, file)), cwd: root, concurrency: tier.concurrency, timeout: FILE_TIMEOUT_MS })) {
    switch (event.type) {
      case "test:stdout":
      case "test:stderr": {
        const { file, message } = event.data;
        output.set(file, ((output.get(file) ?? "") + message).slice(-OUTPUT_TAIL));
        break;
      }
      case "test:pass": {
        const { skip, name, file } = event.data;
        if (skip !== undefined && skip !== false) skips.push({ file: short(file), name, reason: typeof skip === "string" ? skip : "no reason given" });
        break;
      }
      case "test:fail": {
        const { name, file, line, details } = event.data;
        if (event.data.todo !== undefined && event.data.todo !== false) break;
        // A parent fails because a child did; the child says why.
        const { cause, failureType } = details.error as Error & { failureType?: string };
        if (failureType === "subtestsFailed") break;
        const text = `✖ ${short(file)}:${line ?? 1}  ${name}`;
        failures.push(text);
        console.log(`${text}\n${indent(cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause ?? details.error))}`);
        break;
      }
      case "test:summary": {
        const { file, counts: of, duration_ms: ms, success: isGood } = event.data;
        if (file === undefined) {
          counts = { ...noCounts(), ...of };
          success = isGood;
          // A file that ended before it could sum up has only its last words.
          for (const [from, said] of output) console.log(`${short(from)} printed, at its end:\n${indent(said)}`);
          break;
        }
        const skipped = of.skipped > 0 ? `, ${of.skipped} skipped` : "";
        console.log(`${isGood ? "✔" : "✖"} ${short(file)}  ${of.tests} tests${skipped} (${(ms / 1000).toFixed(1)} s)`);
        const said = output.get(file);
        if (!isGood && said !== undefined && said.trim() !== "") console.log(`  it printed, at its end:\n${indent(said)}`);
        output.delete(file);
        break;
      }
    }
  }
  return { counts, skips, failures, success };
}

const indent = (text: string): string => text.replace(/^/gm, "    ");
