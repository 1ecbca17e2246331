/** What the loop of a run is given by the daemon around it, and what it gives. */

import type { Look } from "../../cluster/hang/look.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { PaceWatch } from "../../cluster/steps/pace.ts";
import type { Lent } from "../../cluster/viewer.ts";
import type { Snapshot } from "../sync/snapshot.ts";
import type { Journal, JournalLine } from "./journal.ts";
import type { Keeper } from "./keeper.ts";
import type { LogStore } from "./log-store.ts";
import type { RunTelemetry } from "./telemetry/run-telemetry.ts";

export type DriverDeps = {
  readonly dir: string;
  readonly journal: Journal;
  readonly logs: LogStore;
  readonly keeper: (host: HostSpec) => Keeper;
  readonly telemetry: Pick<RunTelemetry, "begin" | "totals">;
  readonly controller: string;
  readonly lent: Lent;
  readonly snapshot: () => Promise<Snapshot | null>;
  readonly onLine: (line: JournalLine, state: RunState) => void;
  readonly onBytes: (host: string, stream: string, data: Uint8Array, at: number) => void;
  readonly notice: (host: string | null, text: string) => void;
  /** False while this process has slept and not yet told. */
  readonly isAwake: () => boolean;
  /** The run is over and everything was said, but for hosts that could not be asked: the driver stays for them. Told at most once. */
  readonly onSettled: () => void;
  /** The run is over and everything was said. */
  readonly onDone: () => void;
};

export type Driver = {
  readonly state: () => RunState;
  readonly apply: (event: RunEvent) => void;
  readonly lend: (lent: Lent) => void;
  /** Hosts that wait to be tried again are tried now. */
  readonly hurry: () => void;
  /** At what the ranks are doing. */
  readonly look: () => Promise<Look>;
  /** How the present or the last attempt gets on, as far as this controller heard; null: none has run. */
  readonly pace: () => PaceWatch | null;
  readonly dispose: () => void;
};
