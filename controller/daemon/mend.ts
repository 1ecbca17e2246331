/**
 * A journal that lost lines (a bad disk, a power cut): how far the run went is not known here any more. It is taken over from its agents as
 * from another controller, with a higher epoch: their records are compared with what is left of the journal, the newest counts, and nothing
 * is started before a majority of the hosts has answered. A run whose manifest says that it is over stays over.
 */

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { EXIT } from "../../cluster/errors.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { isOver, type RunPhase, type RunState, TERMINAL, type Verdict } from "../../cluster/run/state.ts";
import { runDir } from "../paths.ts";
import { type JournalLine, journalOf, lineText, putAside, readLines } from "./journal.ts";
import { fold } from "./stored-runs.ts";

type Over = { readonly phase: RunPhase & Verdict; readonly endedAt: number; readonly text: string | null };

/** The lines of the run from here on. A journal without a line that can be read stays as it is. Errors: what the disk says. */
export function mend(run: string, controller: string): readonly JournalLine[] {
  const dir = runDir(run);
  const bytes = readWhole(journalOf(dir));
  const { lines, length } = readLines(bytes);
  const state = fold(lines);
  if (state === null || isOver(state) || state.fenced !== null) return lines;
  const over = readOver(dir);
  const isCut = length < bytes.length;
  if (!isCut && over === null) return lines;
  const aside = isCut ? ` (kept in ${putAside(dir, bytes.subarray(length))})` : "";
  const lost = `line ${lines.length + 1} of ${journalOf(dir)} ${isCut ? "cannot be read" : "is missing"}${aside}`;
  const event = takenFromItself(state, lines.length, over, lost, controller);
  const line: JournalLine = { i: lines.length, event };
  const next = `${journalOf(dir)}.new`;
  writeFileSync(next, Buffer.concat([bytes.subarray(0, length), Buffer.from(lineText(line))]), { mode: 0o600, flush: true });
  renameSync(next, journalOf(dir));
  syncDir(dir);
  console.error(`${run}: ${lost}`);
  return [...lines, line];
}

/** No bytes: there is no such file, or it is none. */
function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return Buffer.alloc(0);
    throw error;
  }
}

function takenFromItself(state: RunState, seq: number, over: Over | null, mended: string, controller: string): RunEvent {
  const { spec, ...rest } = state;
  const at = Date.now();
  const from = { controller, machine: hostname(), epoch: state.epoch };
  const base = { epoch: Math.max(1, state.epoch), seq };
  const kept = over === null ? rest : { ...rest, phase: over.phase, verdict: over.phase, endedAt: over.endedAt, failure: failureOf(over) };
  return { at, type: "taken-over", spec, state: kept, by: "the controller", controller, machine: hostname(), epoch: base.epoch + 1, from, base, mended };
}

const failureOf = ({ text, endedAt }: Over): RunState["failure"] =>
  text === null ? null : { at: endedAt, host: null, rank: null, text, exit: EXIT.runFailed, problem: null };

/** What the manifest says of the end of the run; null: that it is not over, or nothing. */
function readOver(dir: string): Over | null {
  try {
    const { status, ended_at, failure } = JSON.parse(readFileSync(join(dir, "manifest.json"), "utf8")) as Record<string, unknown>;
    if (!TERMINAL.has(status as RunPhase) || typeof ended_at !== "string") return null;
    const text = typeof failure === "object" && failure !== null && "text" in failure ? String(failure.text) : null;
    return { phase: status as Verdict, endedAt: Date.parse(ended_at), text };
  } catch {
    return null;
  }
}

function syncDir(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
