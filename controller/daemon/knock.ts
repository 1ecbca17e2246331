/** Lets hosts of a run knock at one another's SSH port: who reaches whom, as the hosts see it. */

import * as z from "zod";
import type { Way } from "../../cluster/diag/pairs/attribute.ts";
import { fail } from "../../cluster/errors.ts";
import type { Knock } from "../../cluster/run/loss.ts";
import { type HostState, membersOf, type RunState } from "../../cluster/run/state.ts";
import type { Linked } from "./keeper.ts";
import { memberSpecs } from "./layout.ts";

const KNOCK_MS = 2000;
/** An agent that does not even answer is no witness. */
const ANSWER_MS = 5000;
/** Up to so many hosts each knocks at each. */
const ALL = 8;

const knockReply = z.object({ saw: z.enum(["alive", "mute", "dead"]) });

export type Knockers = { readonly state: RunState; readonly linked: (host: string) => Linked | null };

/** null: nobody could be asked, or there is nothing to knock at. */
export async function knock({ state, linked }: Knockers, by: string, at: string): Promise<Knock | null> {
  const spec = memberSpecs(state).find((h) => h.name === at);
  const link = linked(by)?.link;
  if (spec === undefined || spec.transport === "local" || link === undefined) return null;
  const port = spec.port ?? state.hosts[at]?.sshPort ?? 22;
  return Promise.race([link.command({ do: "knock", host: spec.address, port, limitMs: KNOCK_MS }), late()]).then(
    (reply) => knockReply.parse(reply).saw,
    () => null,
  );
}

/** The ways between all members that are heard; of many hosts those to the first one and to neighbours. Never rejects. */
export async function knockAtEachOther(knockers: Knockers): Promise<readonly Way[]> {
  const heard = membersOf(knockers.state).filter((h) => h.seen && knockers.linked(h.name) !== null);
  const asked = heard.flatMap((from, k) => heard.flatMap((to, m) => (from !== to && isTried(k, m, heard) ? [{ from: from.name, to: to.name }] : [])));
  const ways = await Promise.all(asked.map(async ({ from, to }) => ({ from, to, saw: await knock(knockers, from, to) })));
  return ways.flatMap(({ from, to, saw }) => (saw === null ? [] : [{ from, to, isBad: saw === "dead" }]));
}

const isTried = (k: number, m: number, { length }: readonly HostState[]): boolean =>
  length <= ALL || k === 0 || m === 0 || Math.min((k - m + length) % length, (m - k + length) % length) <= 2;

const late = (): Promise<never> => new Promise((_, reject) => setTimeout(() => reject(fail("LINK_LOST", { why: "no answer" })), ANSWER_MS).unref());
