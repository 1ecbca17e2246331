/** Watches a host that went silent: lets the others knock at it until it answers, or what they see makes it lost. */

import { REPLACED, TAKEN_OVER } from "../../cluster/protocol.ts";
import type { Witnessed } from "../../cluster/run/events.ts";
import { isCutOff, type Knock, lossVerdict } from "../../cluster/run/loss.ts";
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
  readonly witnessed: (saw: Witnessed, by: readonly string[]) => void;
};

export type Witness = { readonly close: () => void };

const EVERY_MS = 2000;
/** Hosts that knock: one may have a broken link of its own. */
const WITNESSES = 3;
/** In which another agent is to be there for one that leaves for it, or it is known who leads instead. */
const REPLACE_MS = 10_000;

export function watchSilent(deps: WitnessDeps): Witness {
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  /** What stays as it was told is not told again. */
  const tell = (saw: Witnessed, by: readonly string[]): void => {
    const told = deps.state().hosts[deps.host]?.witness ?? null;
    const [first] = told?.by ?? [];
    if (told?.saw !== saw || (first !== undefined && !by.includes(first))) deps.witnessed(saw, by);
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
    // The link went silent UNSEEN_MS before it was written down; a controller that has just started has heard nobody yet.
    const silentMs = now - Math.max(host.unseenAt ?? now, state.awakeSince) + (state.awakeSince >= (host.unseenAt ?? 0) ? 0 : state.spec.timeouts.suspectMs);
    const { lostMs } = state.spec.timeouts;
    const verdict = lossVerdict({
      ...counts,
      silentMs,
      lostMs,
      knocks: knocks.flatMap(({ by, saw }) => (saw === null ? [] : [{ by, saw }])),
      peersFailed: state.trouble !== null,
      quietMs: now - Math.max(deps.heardFromRanksAt(), state.awakeSince),
    });
    const isExpected = (h: HostState): boolean => [REPLACED, TAKEN_OVER].includes(h.unseenWhy) && now - (h.unseenAt ?? 0) < REPLACE_MS;
    if (silentMs < state.spec.timeouts.suspectMs) return;
    if (verdict === null && members.some((h) => !h.seen && isExpected(h))) return;
    const sawOf = (what: Knock): string[] => knocks.filter(({ saw }) => saw === what).map(({ by }) => by);
    const what = (["alive", "mute", "dead"] as const).find((each) => sawOf(each).length > 0);
    if (isCutOff(counts)) tell("cut-off", []);
    else tell(what ?? "nobody", what === undefined ? [] : sawOf(what));
    if (verdict !== null) deps.lost(verdict);
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
