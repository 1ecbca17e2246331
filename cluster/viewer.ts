/**
 * The wire between a controller and its viewers (CLI, TUI): JSON lines over a unix socket, 0600.
 * A viewer sends Request lines and gets Answer lines with the same id: any number of items, then one end.
 */

import type { Problem } from "./errors.ts";
import type { Look } from "./hang/look.ts";
import type { Act } from "./run/act.ts";
import type { EndElsewhere, RunEvent } from "./run/events.ts";
import type { RecordedState, RunState } from "./run/state.ts";
import type { HostSpec, RunSpec, SecretValues } from "./spec.ts";
import type { Point, Sample } from "./telemetry/sample.ts";
import type { RunTotals } from "./telemetry/totals.ts";

/** Bumped on any change of meaning; a viewer and a daemon that differ say so (exit 6). */
export const VIEWER_PROTOCOL = 1;

/** What the asking viewer lends: its environment (base of `transport: local`), its SSH agent. Held in memory only. */
export type Lent = {
  readonly env: Readonly<Record<string, string>>;
  readonly agentSocket: string | null;
  readonly acceptNewHostKeys: boolean;
  /** How long a host is tried that is only asked what it keeps: `timeouts.connect` of the file; absent: it says none. */
  readonly connectMs?: number;
};

export type Request = { readonly id: number } & (
  | { readonly ask: "ping" }
  | { readonly ask: "runs"; readonly all: boolean }
  | { readonly ask: "run"; readonly run: string }
  | { readonly ask: "up"; readonly spec: RunSpec; readonly secrets: SecretValues; readonly lent: Lent; readonly by: string }
  /** What the hosts keep on record, whoever leads it; answers FoundRun[]. */
  | { readonly ask: "find-runs"; readonly hosts: readonly HostSpec[]; readonly lent: Lent }
  /** Which of them this controller reaches with what its own machine has; answers {host, problem | null}[]. */
  | { readonly ask: "reach"; readonly hosts: readonly HostSpec[] }
  /** From here on this controller leads the run, if it may; answers TakenRun. `run` null: the one that the hosts keep. */
  | {
      readonly ask: "take-over";
      readonly hosts: readonly HostSpec[];
      readonly run: string | null;
      readonly force: boolean;
      readonly file: string | null;
      /** null: what the controller's own machine has. */
      readonly lent: Lent | null;
      readonly by: string;
    }
  /**
   * The run's events from index, then its log lines as they come when `logs`; ends when the run is over and all was said.
   * `last`: so many stored lines before the first new one, none missing and none twice in between.
   * `whole`: no line is left out for a slow viewer, it lags behind instead.
   */
  | { readonly ask: "watch"; readonly run: string; readonly from: number; readonly logs: boolean; readonly last?: number; readonly whole?: true }
  | { readonly ask: "logs"; readonly run: string; readonly want: LogQuery }
  | { readonly ask: "stop"; readonly run: string; readonly graceMs: number | null; readonly by: string; readonly why: string }
  /** Does it to a live run; answers ActDone. Errors: NO_RUN, ACT_REFUSED, and those of `stop`. */
  | { readonly ask: "act"; readonly run: string; readonly act: Act; readonly by: string }
  /** Ad-hoc command through the link to a host that the controller holds anyway; NO_LINK when it holds none that was made as `reach`, of the viewer's environment, says. */
  | { readonly ask: "exec"; readonly host: HostSpec; readonly argv: readonly string[]; readonly reach?: Readonly<Record<string, string>> }
  /** What every rank of a run is doing, looked at twice; answers TwoLooks. */
  | { readonly ask: "hang"; readonly run: string }
  /** What its hosts told of themselves: `sample` items since a time (ms since epoch; null: none), then SamplesAnswer. */
  | { readonly ask: "samples"; readonly run: string; readonly since: number | null }
  /** The controller that leads a run in place of this one was seen to have ended it. */
  | { readonly ask: "ended-elsewhere"; readonly run: string; readonly end: EndElsewhere }
  /** This request's earlier stream is not wanted any more. */
  | { readonly ask: "cancel"; readonly cancel: number }
  | { readonly ask: "quit" }
);

export type LogQuery = {
  readonly hosts: readonly string[] | null;
  readonly ranks: readonly number[] | null;
  readonly streams: readonly LogStream[];
  readonly attempt: number | null; // null: the latest
  /** ms since epoch; null: from the beginning. */
  readonly since: number | null;
  /** Last n lines before following; null: all. */
  readonly last: number | null;
  readonly follow: boolean;
  /** A line of a live run that has no end yet is not told: `watch` tells it when it has. */
  readonly wholeLines?: true;
  /** Only a page of what is stored, about `count` lines, oldest first; answers LogPage and no items. null: the end, the beginning. `since`, `last` and `follow` are not looked at. */
  readonly page?: { readonly count: number } & ({ readonly before: LogPlace | null } | { readonly after: LogPlace | null });
};

/** Of a line among the stored ones of its attempt, which are in the order of these: when it came, whose it is, the byte after its end. A time alone, with "" and 0, is a place too. */
export type LogPlace = { readonly at: number; readonly host: string; readonly stream: string; readonly to: number };

/** `from`, `to`: places of the first and the last line, to ask on from; null: it has no lines. isFirst, isLast: nothing stored comes before, after it. */
export type LogPage = {
  readonly lines: readonly LogLine[];
  readonly from: LogPlace | null;
  readonly to: LogPlace | null;
  readonly isFirst: boolean;
  readonly isLast: boolean;
};

export type LogStream = "out" | "err" | "nccl" | "launcher";

export type LogLine = {
  readonly host: string;
  /** null: of the launcher. */
  readonly rank: number | null;
  readonly stream: LogStream;
  readonly attempt: number;
  /** When it reached the controller, ms since epoch. */
  readonly at: number;
  readonly text: string;
  /** In place of text: these bytes of the stream do not exist. */
  readonly gap?: LogGap;
};

export type LogGap = { readonly from: number; readonly to: number; readonly why: string };

export type Answer =
  | { readonly id: number; readonly item: Item }
  | { readonly id: number; readonly end: unknown }
  | { readonly id: number; readonly problem: Problem };

export type Item =
  | { readonly kind: "event"; readonly index: number; readonly event: RunEvent }
  | { readonly kind: "line"; readonly line: LogLine }
  /** All that was stored when `logs` was asked for has been told; what follows is new. Only with `follow`. */
  | { readonly kind: "caught-up" }
  /** Words for the person: a banner, a fingerprint, a wait; and per-host progress while coming up. */
  | { readonly kind: "notice"; readonly host: string | null; readonly text: string }
  | { readonly kind: "sample"; readonly host: string; readonly point: Point }
  | { readonly kind: "output"; readonly fd: 1 | 2; readonly data: string /* base64 */ };

/** The last that a host told, by its own clock, and when it came; null: not since this controller was started. */
export type HostNow = { readonly host: string; readonly at: number; readonly heardAt: number | null; readonly sample: Sample };
/** `now`: the controller's clock. */
export type SamplesAnswer = { readonly state: RunState; readonly now: number; readonly hosts: readonly HostNow[]; readonly totals: RunTotals };

/** What was set going, in a sentence; `isNew` false: it was so already. */
export type ActDone = { readonly text: string; readonly isNew: boolean };

export type TwoLooks = { readonly attempt: number; readonly first: Look; readonly second: Look };

export type Pong = {
  readonly protocol: number;
  readonly version: string;
  readonly build: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly stateDir: string;
};
export type RunSummary = {
  readonly run: string;
  readonly name: string;
  readonly phase: RunState["phase"];
  readonly hosts: number;
  readonly ranks: number;
  readonly attempt: number;
  readonly requestedAt: number;
  readonly endedAt: number | null;
  readonly file: string | null;
  readonly by: string;
  readonly failure: string | null;
  /** Of its file; absent: none. */
  readonly tags?: readonly string[];
  /** In dollars, of its hosts that took part; absent: the file names none. */
  readonly pricePerHour?: number;
  /** It waits for GPUs: host → who has them. */
  readonly waitsFor?: Readonly<Record<string, string>>;
  /** Another controller leads it. */
  readonly ledBy?: string;
  /** Since when that is known: all else here is of then. Absent: it is of now. */
  readonly knownAt?: number;
  /** Hosts that refuse our credentials while it goes on; absent: none. */
  readonly needsAuth?: readonly string[];
  /** Hosts that are out of sight while it goes on: since when, and what the others see of them ("": nothing yet). Absent: none. */
  readonly unseen?: readonly { readonly host: string; readonly at: number | null; readonly why: string; readonly witness: string }[];
  /** What was found while it runs, and is not over; absent: nothing. */
  readonly findings?: readonly string[];
  /** Of how many hosts those that its ranks are on are left; absent: of all. */
  readonly of?: number;
  /** Hosts that could not be asked when it ended; absent: none. */
  readonly owing?: readonly string[];
};

/** A run as agents keep it. */
export type FoundRun = {
  readonly run: string;
  readonly spec: RunSpec;
  readonly state: RecordedState;
  readonly leader: string;
  /** That controller has a link to one of the hosts now. */
  readonly isLed: boolean;
};

/** `from`: who led it; null: this controller did so already. `won` of `hosts` answered. */
export type TakenRun = {
  readonly run: string;
  readonly from: string | null;
  readonly epoch: number;
  readonly isMajority: boolean;
  readonly won: number;
  readonly hosts: number;
};
