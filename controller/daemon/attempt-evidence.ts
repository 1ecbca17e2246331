/** What the journal of a run says of one attempt, as evidence. Pure. */

import type { Evidence, HostTrouble, LauncherExit, RankExit } from "../../cluster/cause/evidence.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";

type Told = Pick<Evidence, "world" | "exits" | "ranks" | "launchers" | "troubles" | "ended" | "launcher">;

/** Exits and troubles in the order of the journal: on each host what came after the shim began to end the attempt was ended by us. */
export function fromJournal(state: RunState, events: readonly RunEvent[]): Told {
  const { attempt } = state;
  const ranks = new Map<number, { rank: number; host: string; pid: number }>();
  const exits: RankExit[] = [];
  const launchers: LauncherExit[] = [];
  const troubles: HostTrouble[] = [];
  const stopping = new Set<string>();
  /** Of the last time: a host that was started again is seen before we know that it was. */
  const silentSince = new Map<string, number>();
  for (const event of events) {
    switch (event.type) {
      case "host-unseen":
        silentSince.set(event.host, event.at - state.spec.timeouts.suspectMs);
        break;
      default:
        if (!("attempt" in event) || event.attempt !== attempt) break;
        if (event.type === "host-stopping") stopping.add(event.host);
        if (event.type === "rank-started") ranks.set(event.rank, { rank: event.rank, host: event.host, pid: event.pid });
        if (event.type === "rank-exited") {
          const { rank, host, code, signal, seenAt, at: heardAt } = event;
          exits.push({ rank, host, code, signal, seenAt, heardAt, pid: ranks.get(rank)?.pid ?? 0, isStopped: stopping.has(host) });
        }
        if (event.type === "launcher-exited") {
          launchers.push({ host: event.host, code: event.code, signal: event.signal, heardAt: event.at, isStopped: stopping.has(event.host) });
        }
        if (event.type === "host-lost") troubles.push({ host: event.host, kind: "lost", why: event.why, since: silentSince.get(event.host) ?? event.at });
        if (event.type === "host-rebooted") troubles.push({ host: event.host, kind: "rebooted", why: "", since: silentSince.get(event.host) ?? event.at });
        if (event.type === "host-ended" && isShimLost(event.host, stopping, ranks, exits, launchers)) {
          troubles.push({ host: event.host, kind: "shim-lost", why: "", since: event.at });
        }
    }
  }
  return { world: state.world, exits, ranks: [...ranks.values()], launchers, troubles, ended: endedBy(state), launcher: state.spec.launcher };
}

/** A shim that lives says that it stops, or that all it started has ended. */
function isShimLost(
  host: string,
  stopping: ReadonlySet<string>,
  ranks: ReadonlyMap<number, { readonly rank: number; readonly host: string }>,
  exits: readonly RankExit[],
  launchers: readonly LauncherExit[],
): boolean {
  const own = [...ranks.values()].filter((rank) => rank.host === host);
  const hasEnded = own.every(({ rank }) => exits.some((exit) => exit.rank === rank));
  return !stopping.has(host) && own.length > 0 && !hasEnded && !launchers.some((launcher) => launcher.host === host);
}

function endedBy({ trouble }: RunState): Evidence["ended"] {
  if (trouble === null || (trouble.kind !== "hang" && trouble.kind !== "start")) return null;
  const { kind, text, host, rank, problem } = trouble;
  return { kind, text, host, rank, code: problem?.code ?? null };
}
