/** What a run's hosts tell of themselves: taken while the run is driven, read from its directory ever after. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { chooseGpus } from "../../../cluster/launch/gpus.ts";
import type { RunRecord } from "../../../cluster/protocol.ts";
import { isOver, type RunState } from "../../../cluster/run/state.ts";
import type { Point } from "../../../cluster/telemetry/sample.ts";
import { type RunTotals, sumTotals } from "../../../cluster/telemetry/totals.ts";
import type { HostNow } from "../../../cluster/viewer.ts";
import type { AgentLink } from "../../reach/link.ts";
import { type HostTelemetry, readTotals, takeSamples } from "./take-samples.ts";
import { readLast, readPoints, type Stored } from "./tiers.ts";

export type RunTelemetry = {
  readonly begin: (host: string, link: AgentLink, record: RunRecord) => void;
  readonly now: () => readonly HostNow[];
  /** The last seconds of each host that has told anything since this controller was started. */
  readonly recent: () => readonly HostPoint[];
  readonly totals: () => RunTotals;
  readonly close: () => void;
};

export type RunTelemetryDeps = {
  readonly dir: string;
  readonly state: () => RunState;
  readonly notice: (host: string, text: string) => void;
  readonly onSample?: (host: string, stored: Stored) => void;
};

export type HostPoint = { readonly host: string; readonly point: Point };

export const telemetryDir = (runDir: string): string => join(runDir, "telemetry");
const hostDir = (dir: string, host: string): string => join(dir, encodeURIComponent(host));

export function openRunTelemetry({ dir, state, notice, onSample }: RunTelemetryDeps): RunTelemetry {
  const hosts = new Map<string, HostTelemetry>();
  const of = (host: string): HostTelemetry => {
    const known =
      hosts.get(host) ??
      takeSamples({
        host,
        dir: hostDir(dir, host),
        gpus: () => gpusOf(state(), host),
        notice: (text) => notice(host, text),
        onSample: (stored) => onSample?.(host, stored),
      });
    hosts.set(host, known);
    return known;
  };
  return {
    begin: (host, link, record) => of(host).begin(link, record),
    // Of a host that this controller has not linked yet, what the one before it left.
    now: () => hostsIn(dir).flatMap((host) => nowOf(host, hosts.get(host)?.last() ?? readLast(hostDir(dir, host)), hosts.get(host)?.heardAt() ?? null)),
    recent: () => [...hosts].flatMap(([host, telemetry]) => telemetry.recent().map(({ at, sample }) => ({ host, point: { at, spanMs: 1000, sample } }))),
    totals: () => sumTotals(hostsIn(dir).map((host) => hosts.get(host)?.totals() ?? readTotals(hostDir(dir, host)))),
    close: () => {
      for (const telemetry of hosts.values()) telemetry.close();
    },
  };
}

/** Those that the run holds there now: from its launch until the host is drained. */
function gpusOf(state: RunState, host: string): ReadonlySet<string> {
  const spec = state.spec.hosts.find(({ name }) => name === host);
  const at = state.hosts[host];
  if (spec === undefined || at === undefined || isOver(state) || !state.members.includes(host) || !["launched", "ended"].includes(at.stage)) return new Set();
  const choice = chooseGpus(spec.gpus, at.facts, host, at.claim);
  return new Set(choice.ok ? choice.gpus.map(({ uuid }) => uuid) : []);
}

/** Of a run that nobody drives any more. */
export const readNow = (dir: string): readonly HostNow[] => hostsIn(dir).flatMap((host) => nowOf(host, readLast(hostDir(dir, host)), null));

const nowOf = (host: string, last: Stored | null, heardAt: number | null): readonly HostNow[] =>
  last === null ? [] : [{ host, at: last.at, heardAt, sample: last.sample }];

export const readRunTotals = (dir: string): RunTotals => sumTotals(hostsIn(dir).map((host) => readTotals(hostDir(dir, host))));

export const readHistory = (dir: string, since: number): readonly HostPoint[] =>
  hostsIn(dir).flatMap((host) => readPoints(hostDir(dir, host), since).map((point) => ({ host, point })));

function hostsIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir).map(decodeURIComponent);
  } catch {
    return []; // nothing was ever told
  }
}
