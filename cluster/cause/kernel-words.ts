/** What lines of a host's kernel log say about processes: killed for want of memory, stopped by a GPU. */

import { matchLine } from "../findings/match.ts";
import type { KernelLine } from "./evidence.ts";

export type KernelOom = { readonly pid: number | null; readonly rssGib: number | null; readonly line: KernelLine };
export type KernelGpu = { readonly pid: number | null; readonly code: string; readonly title: string; readonly isGrave: boolean; readonly line: KernelLine };

const KILLED = /Killed process (\d{1,10})\b/;
const RSS = /anon-rss:(\d{1,15})kB/;
const TASK = /oom-kill:.{0,1000}\bpid=(\d{1,10})/;
/** Events that take a GPU away from its program; others may be old news, or the program's own doing. */
const GRAVE = new Set(["XID_BUS", "XID_MEMORY", "XID_NVLINK", "XID_GSP"]);

export function oomOf(line: KernelLine): KernelOom | null {
  if (!/oom-kill:|ut of memory: Killed process/.test(line.text)) return null;
  const pid = KILLED.exec(line.text)?.[1] ?? TASK.exec(line.text)?.[1];
  const rss = RSS.exec(line.text)?.[1];
  return { pid: pid === undefined ? null : Number(pid), rssGib: rss === undefined ? null : Number(rss) / 1024 ** 2, line };
}

export function gpuOf(line: KernelLine): KernelGpu | null {
  const finding = matchLine(line.text)?.finding;
  if (finding === undefined || finding.family !== "kernel" || !finding.code.startsWith("XID_")) return null;
  const pid = /\bpid=(\d{1,10})/.exec(line.text)?.[1];
  const isGrave = GRAVE.has(finding.code) && !/non-fatal|corrected/i.test(line.text);
  return { pid: pid === undefined ? null : Number(pid), code: finding.code, title: finding.title, isGrave, line };
}

/** "31 GiB", "512 MiB". */
export const tellMemory = (gib: number): string => (gib >= 1 ? `${Math.round(gib)} GiB` : `${Math.max(1, Math.round(gib * 1024))} MiB`);
