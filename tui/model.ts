/** All that screens draw from: an immutable snapshot, made at most ten times a second from what the source told. */

import type { RunEvent } from "../cluster/run/events.ts";
import type { RunState } from "../cluster/run/state.ts";
import type { Pace } from "../cluster/steps/pace.ts";
import type { Point } from "../cluster/telemetry/sample.ts";
import type { RunTotals } from "../cluster/telemetry/totals.ts";
import type { HostReading } from "../cluster/view/host-telemetry.ts";
import type { RunSummary } from "../cluster/viewer.ts";
import type { LogBook } from "./log-book.ts";

export type Model = {
  /** ms since epoch by the controller's clock; of a recording: the time it is at. */
  readonly now: number;
  readonly link: Link;
  readonly isReadonly: boolean;
  /** null: no run is watched, only the list of them. */
  readonly run: RunModel | null;
  /** Newest first. */
  readonly runs: readonly RunSummary[];
};

/** replay: `speed` times as fast as it was; 0: it stands. */
export type Link =
  | { readonly state: "ok" }
  | { readonly state: "lost"; readonly since: number; readonly why: string }
  | { readonly state: "replay"; readonly speed: number; readonly from: number; readonly to: number };

export type RunModel = {
  readonly id: string;
  readonly state: RunState;
  /** Oldest first; `before` is the state it met, null for the first. */
  readonly events: readonly Told[];
  /** One per host, in the order of the file. */
  readonly readings: readonly HostReading[];
  /** Of each host the points of the last ten minutes, oldest first. */
  readonly history: ReadonlyMap<string, readonly Point[]>;
  readonly totals: RunTotals | null;
  readonly pace: Pace | null;
  /** Of the last minutes, oldest first: for sparklines. */
  readonly trail: readonly Pace[];
  /** rank → ms of a step, and ms of its own work in it where it tells that. */
  readonly stepMs: ReadonlyMap<number, number>;
  readonly busyMs: ReadonlyMap<number, number>;
  /** What each host is doing while the run comes up, in words. */
  readonly doing: ReadonlyMap<string, string>;
  readonly log: LogBook;
};

/** An event and the words it is told with. */
export type Told = { readonly index: number; readonly event: RunEvent; readonly lines: readonly string[] };
