/** Watches a host that went silent: lets the others knock at it until it answers, or what they see makes it lost. */

import * as z from "zod";
import { fail } from "../../cluster/errors.ts";
import { REPLACED } from "../../cluster/protocol.ts";
import { isCutOff, type Knock, lossVerdict } from "../../cluster/run/loss.ts";
import { type HostState, membersOf, type RunState } from "../../cluster/run/state.ts";
import type { Linked } from "./keeper.ts";
import { memberSpecs } from "./layout.ts";

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
const KNOCK_MS = 2000;
/** In which another agent is to be there for one that leaves for it. */
const REPLACE_MS = 10_000;
/** An agent that does not even answer is no witness. */
const ANSWER_MS = 5000;

const knockReply = z.object({ saw: z.enum(["alive", "mute", "dead"]) });

export function watchSilent(deps: WitnessDeps): Witness {
  let isClosed = false;
  let said = "";
  let timer: NodeJS.Timeout | undefined;

  const say = (text: string): void => {
    if (text !== said) deps.notice(text);
    said = text;
  };

  const look = async (): Promise<void> => {
    const knocks = await Promise.all(witnesses().map(async (by) => ({ by, saw: await knock(by) })));
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

  const knock = async (by: string): Promise<Knock | null> => {
    const spec = memberSpecs(deps.state()).find((h) => h.name === deps.host);
    const link = deps.linked(by)?.link;
    if (spec === undefined || spec.transport === "local" || link === undefined) return null;
    const port = spec.port ?? deps.state().hosts[deps.host]?.sshPort ?? 22;
    const asked = link.command({ do: "knock", host: spec.address, port, limitMs: KNOCK_MS });
    return Promise.race([asked, late()]).then(
      (reply) => knockReply.parse(reply).saw,
      () => null,
    );
  };

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

const late = (): Promise<never> => new Promise((_, reject) => setTimeout(() => reject(fail("LINK_LOST", { why: "no answer" })), ANSWER_MS).unref());
