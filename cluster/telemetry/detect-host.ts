/** What a host of a run shows beside its GPUs: memory, network, disks. A number that is not known says nothing. */

import { formatDuration } from "../view/duration.ts";
import type { AboutHost } from "./about.ts";
import type { Reading } from "./condition.ts";
import type { Sample } from "./sample.ts";

const MEMORY_LOW = 0.05;
const MEMORY_FINE = 0.08;
/** Errors in a minute. */
const ERRORS = 10;
const ERRORS_MS = 60_000;
/** A disk's pace is that of so long: one checkpoint is no pace. */
const DISK_MS = 20 * 60_000;
const DISK_LEAST_MS = 5 * 60_000;
/** When it is not known how long the run goes on. */
const HORIZON_MS = 2 * 3600_000;
const MOST_MS = 24 * 3600_000;
/** A window's points, so many at most. */
const KEPT = 64;

const VIRTUAL = /^(?:lo|docker|veth|br-|virbr|dummy|ifb|cni|flannel|cali)/;

/** Less is no room for a checkpoint, nor for logs; the agent tells it in steps of 4 MiB. */
const FULL_BYTES = 32 * 2 ** 20;
const ROOM_BYTES = 256 * 2 ** 20;

type Point = { readonly at: number; readonly value: number };

export type HostHistory = {
  readonly errors: Map<string, Point[]>;
  readonly free: Map<string, Point[]>;
  readonly bestSpeed: Map<string, number>;
};

export const noHistory = (): HostHistory => ({ errors: new Map(), free: new Map(), bestSpeed: new Map() });

/** Adds the sample to the history, and judges. */
export function detectHost(sample: Sample, about: AboutHost, history: HostHistory, at: number): readonly Reading[] {
  const say = (code: string, what: string, isBad: boolean | null, text: string): Reading => ({
    ...{ code, what, isBad, text: `${about.host}: ${text}`, host: about.host, rank: null, gpu: null },
  });
  return [...memory(sample, say), ...nets(sample, history, at, say), ...disks(sample, about, history, at, say), ...fullDisks(sample, about, say)];
}

type Say = (code: string, what: string, isBad: boolean | null, text: string) => Reading;

function memory({ host: { memoryTotalBytes: total, memoryAvailableBytes: free } }: Sample, say: Say): Reading[] {
  if (total === undefined || free === undefined || total === 0) return [];
  const share = free / total;
  return [say("HOST_MEMORY_LOW", "", share < MEMORY_LOW ? true : share > MEMORY_FINE ? false : null, `${gib(free)} of ${gib(total)} memory are left`)];
}

function nets(sample: Sample, { errors, bestSpeed }: HostHistory, at: number, say: Say): Reading[] {
  return Object.entries(sample.nets).flatMap(([name, net]) => {
    if (VIRTUAL.test(name)) return [];
    const readings: Reading[] = [];
    if (net.rxErrors !== undefined || net.txErrors !== undefined) {
      const grown = growth(remember(errors, name, (net.rxErrors ?? 0) + (net.txErrors ?? 0), at, ERRORS_MS));
      if (grown !== null)
        readings.push(say("NIC_ERRORS", name, grown.by >= ERRORS ? true : grown.by === 0 ? false : null, `${name} counted ${grown.by} errors in a minute`));
    }
    const best = Math.max(bestSpeed.get(name) ?? 0, net.speedMbps ?? 0);
    if (best > 0) bestSpeed.set(name, best);
    if (net.isUp === 0 && best > 0) readings.push(say("NIC_SLOWER", name, true, `${name} is down; it had ${speed(best)}`));
    else if (net.speedMbps !== undefined && best > 0)
      readings.push(say("NIC_SLOWER", name, net.speedMbps < best, `${name} fell from ${speed(best)} to ${speed(net.speedMbps)}`));
    return readings;
  });
}

function disks(sample: Sample, { leftMs }: AboutHost, { free }: HostHistory, at: number, say: Say): Reading[] {
  const horizon = Math.min(leftMs ?? HORIZON_MS, MOST_MS);
  return Object.entries(sample.disks).flatMap(([mount, { freeBytes, totalBytes }]) => {
    if (freeBytes === undefined) return [];
    const points = remember(free, mount, freeBytes, at, DISK_MS);
    const grown = growth(points);
    if (grown === null || grown.ms < DISK_LEAST_MS) return [];
    const full = grown.by >= 0 ? Number.POSITIVE_INFINITY : (freeBytes / -grown.by) * grown.ms;
    const left = `${gib(freeBytes)}${totalBytes === undefined ? "" : ` of ${gib(totalBytes)}`} free`;
    const when = leftMs === null ? "" : `, the run's last step in ${formatDuration(leftMs)}`;
    return [
      say(
        "DISK_FILLS",
        mount,
        full < horizon ? true : full > 1.5 * horizon ? false : null,
        `${mount} is full in ${formatDuration(Math.min(full, MOST_MS))} at this pace (${left})${when}`,
      ),
    ];
  });
}

/** Of those that the run writes to: a small disk that is always full is nobody's trouble. */
function fullDisks({ disks: all }: Sample, { writes }: AboutHost, say: Say): Reading[] {
  const mounts = new Set(writes.map((path) => mountOf(path, Object.keys(all))));
  return [...mounts].flatMap((mount) => {
    const free = mount === null ? undefined : all[mount]?.freeBytes;
    if (mount === null || free === undefined) return [];
    const isFull = free < FULL_BYTES ? true : free > ROOM_BYTES ? false : null;
    return [say("HOST_DISK_FULL", mount, isFull, `${mount} is full: saves fail there, and log lines beyond what was kept for them are lost; training goes on`)];
  });
}

function mountOf(path: string, mounts: readonly string[]): string | null {
  const over = mounts.filter((mount) => path === mount || path.startsWith(mount.endsWith("/") ? mount : `${mount}/`));
  return over.sort((a, b) => b.length - a.length)[0] ?? null;
}

/** The points of the last `spanMs`; more often than that is not needed. */
function remember(all: Map<string, Point[]>, name: string, value: number, at: number, spanMs: number): readonly Point[] {
  const points = all.get(name) ?? [];
  if (points.some((point) => point.at > at)) points.length = 0; // its clock was set back
  const last = points.at(-1);
  if (last === undefined || at - last.at >= spanMs / KEPT) points.push({ at, value });
  while (points.length > 1 && at - (points[0]?.at ?? at) > spanMs) points.shift();
  all.set(name, points);
  return [...points, { at, value }];
}

function growth(points: readonly Point[]): { readonly by: number; readonly ms: number } | null {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at) return null;
  return { by: last.value - first.value, ms: last.at - first.at };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(bytes < 10 * 2 ** 30 ? 1 : 0)} GiB`;
const speed = (mbps: number): string => (mbps >= 1000 ? `${mbps / 1000} Gbit/s` : `${mbps} Mbit/s`);
