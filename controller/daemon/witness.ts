/** Watches a host that went silent: lets the others knock at it until it answers, or what they see makes it lost. */

import { REPLACED } from "../../cluster/protocol.ts";
import { isCutOff, lossVerdict } from "../../cluster/run/loss.ts";
import { type HostState, membersOf, type RunState } from "../../cluster/run/state.ts";
import type { Linked } from "./keeper.ts";
import { knock } from "./knock.ts";

export type WitnessDeps = {
  readonly host: string;
  readonly state: () => RunState;
  readonly linked: (host: string) => Linked | null;
  /** When a rank of the attempt last wrote something that arrived here. */
  readonly heardFromRanksAt: () => number;
  readonly isAwake: () => boolean;
  readonly now: () => number;
  readonly lost: (why: string) => void;
  readonly notice: (text: string) => void;
};

export type Witness = { readonly close: () => void };

const EVERY_MS = 2000;
/** Hosts that knock: one may have a broken link of its own. */
const WITNESSES = 3;
/** In which another agent is to be there for one that leaves for it. */
const REPLACE_MS = 10_000;

export function watchSilent(deps: WitnessDeps): Witness {
  let isClosed = false;
  let said = "";
  let timer: NodeJS.Timeout | undefined;

  const say = (text: string): void => {
    if (text !== said) deps.notice(text);
    said = text;
  };

  const look = async (): Promise<void> => {
    const knocks = await Promise.all(witnesses().map(async (by) => ({ by, saw: await knock({ state: deps.state(), linked: deps.linked }, by, deps.host) })));
    if (isClosed || !deps.isAwake()) return;
    const state = deps.state();
    const host = state.hosts[deps.host];
    if (host === undefined || host.seen) return;
    const members = membersOf(state);
    const now = deps.now();
    const counts = { members: members.length, silent: members.filter((h) => !h.seen).length };
    // The link went silent UNSEEN_MS before it was written down.
    const silentMs = now - Math.max(host.unseenAt ?? now, state.awakeSince) + (state.awakeSince > (host.unseenAt ?? 0) ? 0 : state.spec.timeouts.suspectMs);
    const { lostMs } = state.spec.timeouts;
    const verdict = lossVerdict({
      ...counts,
      silentMs,
      lostMs,
      knocks: knocks.flatMap(({ by, saw }) => (saw === null ? [] : [{ by, saw }])),
      peersFailed: state.trouble !== null,
      quietMs: now - Math.max(deps.heardFromRanksAt(), state.awakeSince),
    });
    if (verdict !== null) return deps.lost(verdict);
    const isExpected = (h: HostState): boolean => h.unseenWhy === REPLACED && now - (h.unseenAt ?? 0) < REPLACE_MS;
    if (members.some((h) => !h.seen && isExpected(h))) return;
    const alive = knocks.find(({ saw }) => saw === "alive");
    if (isCutOff(counts)) say(`${counts.silent} of ${counts.members} hosts are silent: this machine may be the one that is cut off; nothing is restarted`);
    else if (alive !== undefined && silentMs >= lostMs) say(`${alive.by} reaches it: its agent or the link from here is gone; training goes on`);
  };

  const witnesses = (): string[] =>
    membersOf(deps.state())
      .filter((h) => h.seen && h.name !== deps.host && deps.linked(h.name) !== null)
      .slice(0, WITNESSES)
      .map((h) => h.name);

  const again = (): void => {
    timer = setTimeout(
      () =>
        void look()
          .catch(console.error)
          .finally(() => !isClosed && again()),
      EVERY_MS,
    );
  };
  void look()
    .catch(console.error)
    .finally(() => !isClosed && again());
  return {
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
