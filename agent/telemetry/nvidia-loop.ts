/**
 * One nvidia-smi for as long as it tells something: which fields its driver knows, then rows by the second. It may hang, flood, die or be absent, and the
 * driver may be reloaded under it: it is ended and begun anew after 1 to 30 s, never while the one before is still there, and nobody waits for it.
 */

import { setTimeout as delay } from "node:timers/promises";
import { readFieldHelp } from "../../cluster/nvidia/fields.ts";
import { type GpuRow, readGpuLine } from "../../cluster/nvidia/gpu-row.ts";
import { busIdIn, isDriverText, smiTrouble } from "../../cluster/nvidia/problem.ts";
import { fieldsOf } from "../../cluster/telemetry/read-gpu.ts";
import type { GpuTool } from "../../cluster/telemetry/sample.ts";
import { askGpus, csvOf, isDead, type Trouble, troubleOf } from "./ask-gpus.ts";
import { askProgram, readLines } from "./child.ts";

export type Paces = {
  readonly everyMs: number;
  /** Without a row for so long the program hangs. */
  readonly silentMs: number;
  readonly askMs: number;
  readonly backoffMs: readonly [least: number, most: number];
  /** Between two looks whether there is one by now. */
  readonly absentMs: number;
  readonly slowMs: number;
};
export const PACES: Paces = { everyMs: 1000, silentMs: 10_000, askMs: 10_000, backoffMs: [1000, 30_000], absentMs: 300_000, slowMs: 30_000 };

/** Characters a second that no number of GPUs gives: 8 of them give about 1 KiB. */
const FLOOD = 1024 * 1024;
/** One driver's loop said [Unknown Error] of every GPU from its second sample on, while a single question was answered. */
const DEAD_SAMPLES = 3;

export type NvidiaHandlers = {
  readonly row: (rate: "static" | "hot" | "slow", row: GpuRow) => void;
  /** The one of that PCI bus id fell off. */
  readonly lost: (busId: string) => void;
  readonly log: (text: string) => void;
};

export type NvidiaLoop = { readonly tool: () => GpuTool; readonly close: () => void };

type End = Trouble & { readonly isLoopAtFault: boolean };

export function loopNvidia(program: () => string | null, handlers: NvidiaHandlers, paces: Paces = PACES): NvidiaLoop {
  const closing = new AbortController();
  const { signal } = closing;
  let state: GpuTool = { name: "nvidia-smi", state: "starting" };

  const tool = (next: Pick<GpuTool, "state" | "text">): void => {
    if (next.state === state.state && next.text === state.text) return;
    const since = state.since ?? Date.now();
    state = { name: "nvidia-smi", ...next, ...(next.state === "ok" ? {} : { since }) };
    handlers.log(`nvidia-smi: ${next.state}${next.text === undefined ? "" : `: ${next.text}`}`);
  };
  const told = (text: string): void => {
    const busId = busIdIn(text);
    if (busId !== null && smiTrouble(text, "", 0)?.kind === "gpu-lost") handlers.lost(busId);
  };
  const pause = (ms: number, also?: AbortSignal): Promise<void> =>
    delay(ms, undefined, { signal: also === undefined ? signal : AbortSignal.any([signal, also]) });

  const ask = async (at: string, fields: readonly string[]): Promise<Awaited<ReturnType<typeof askGpus>>> => {
    const found = await askGpus(at, fields, paces.askMs, signal);
    found.texts.forEach(told);
    return found;
  };
  /** Only of what is not answered anyway: its process may never go. */
  const giveUp = async ({ trouble, gone }: { readonly trouble: Trouble | null; readonly gone: Promise<void> }): Promise<End> => {
    const end = trouble ?? { state: "failed", text: "it shows no GPU" };
    tool(end);
    await gone;
    return { ...end, isLoopAtFault: false };
  };

  /** Until it hangs, floods or ends. */
  const follow = async (at: string, fields: readonly string[], gpus: number): Promise<End> => {
    let heardAt = performance.now();
    let hadRows = false;
    let dead = 0;
    let count = 0;
    let words = "";
    let cut: Trouble | null = null;
    const onLine = (line: string): void => {
      const read = readGpuLine(fields, line);
      if (cut !== null || (read.kind !== "row" && read.kind !== "text")) return;
      if (read.kind === "text") {
        if (isDriverText(read.text)) words = read.text;
        return told(read.text);
      }
      heardAt = performance.now();
      hadRows = true;
      dead = read.row.down === "unknown" ? dead + 1 : 0;
      tool({ state: "ok" });
      handlers.row("hot", read.row);
    };
    const lines = readLines(at, [...csvOf(fields), `--loop-ms=${paces.everyMs}`], onLine, (n) => {
      count += n;
      if (count > FLOOD) stop({ state: "flooding", text: "it writes without end" });
    });
    const stop = (end: Trouble): void => {
      if (cut !== null) return;
      cut = end;
      lines.kill();
      tool(end); // now: one in the hands of a stuck driver never goes
    };
    const abort = (): void => stop({ state: "failed", text: "closed" });
    signal.addEventListener("abort", abort);
    const watch = setInterval(() => {
      count = 0;
      if (performance.now() - heardAt > paces.silentMs) stop({ state: "hung", text: "it tells nothing any more" });
      if (dead >= DEAD_SAMPLES * gpus) stop({ state: "failed", text: "the driver answers its loop with errors only" });
    }, paces.everyMs);
    const { code, err } = await lines.end;
    clearInterval(watch);
    signal.removeEventListener("abort", abort);
    const end: Trouble = cut ?? { state: "failed", text: smiTrouble(words, err, code ?? 1)?.says ?? "it ended by itself" };
    return { ...end, isLoopAtFault: end.state !== "flooding" && (!hadRows || dead >= DEAD_SAMPLES * gpus) };
  };

  /** Where a loop does not tell and a single question is answered: one question after another, slower. */
  const askSingly = async (at: string, fields: readonly string[]): Promise<End> => {
    for (;;) {
      const found = await ask(at, fields);
      if (found.trouble !== null || isDead(found.rows)) return giveUp(found);
      tool({ state: "ok", text: "asked singly: its loop does not tell" });
      for (const row of found.rows) handlers.row("hot", row);
      await pause(paces.everyMs * 5);
    }
  };

  /** One that hangs here hangs the loop as well, which then says so. */
  const askSlowly = async (at: string, fields: readonly string[], ending: AbortSignal): Promise<void> => {
    for (let now = fields; !ending.aborted; ) {
      const found = await ask(at, now);
      now = found.ask;
      for (const row of found.rows) if (!ending.aborted) handlers.row("slow", row);
      await found.gone;
      await pause(paces.slowMs, ending);
    }
  };

  const session = async (at: string): Promise<End> => {
    const help = await askProgram(at, ["--help-query-gpu"], paces.askMs, signal);
    if (help.cut !== null) return giveUp({ trouble: troubleOf(help), gone: help.gone });
    const known = readFieldHelp(help.out);
    const fixed = await ask(at, fieldsOf("static", known));
    if (fixed.rows.length === 0) return giveUp(fixed);
    for (const row of fixed.rows) handlers.row("static", row);
    const hot = await ask(at, fieldsOf("hot", known)); // tells which fields are refused
    if (hot.rows.length === 0) return giveUp(hot);
    const ending = new AbortController();
    askSlowly(at, fieldsOf("slow", known), ending.signal).catch(() => undefined);
    try {
      const end = await follow(at, hot.ask, fixed.rows.length);
      if (!end.isLoopAtFault || signal.aborted) return end;
      const single = await ask(at, hot.ask);
      return single.trouble !== null || isDead(single.rows) ? await giveUp(single) : await askSingly(at, hot.ask);
    } finally {
      ending.abort();
    }
  };

  const live = async (): Promise<void> => {
    for (let tries = 0; !signal.aborted; ) {
      const at = program();
      if (at === null) {
        tool({ state: "absent" });
        await pause(paces.absentMs);
        continue;
      }
      const begun = performance.now();
      const { state: why, text } = await session(at);
      if (signal.aborted) return;
      tool({ state: why, text });
      tries = performance.now() - begun > paces.backoffMs[1] * 2 ? 0 : tries + 1;
      await pause(Math.min(paces.backoffMs[1], paces.backoffMs[0] * 2 ** Math.max(0, tries - 1)));
    }
  };
  live().catch((error: unknown) => {
    if (!signal.aborted) handlers.log(`bug: ${error instanceof Error ? error.stack : String(error)}`);
  });
  return { tool: () => state, close: () => closing.abort() };
}
