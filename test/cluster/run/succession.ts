/** In the model's world: a controller hears its agents, is followed by another one, or by itself after a death. */

import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import { type Controller, command, epochOf, type Host, isLinked, isReached, type Record, tell, type World } from "./world.ts";

/** From the agents' records: the newest of those that answer, when a majority does. */
export function takeOver(world: World): void {
  const reached = world.hosts.filter((h) => isReached(h) && h.record !== null);
  if (reached.length * 2 <= world.hosts.length) return;
  const [best] = reached.map((h) => h.record as Record).toSorted((a, b) => b.epoch - a.epoch || b.seq - a.seq);
  if (best === undefined) return;
  const id = `c${world.controllers.length}`;
  const epoch = Math.max(...reached.map((h) => h.record?.epoch ?? 0)) + 1;
  const state = reduce(best.state, { at: world.now, type: "controller-started", controller: id, epoch });
  const next: Controller = {
    id,
    journal: [{ at: world.now, type: "requested", spec: state.spec, by: "x" }],
    state,
    isFrozen: false,
    isFenced: false,
    read: new Map(),
    keys: new Map(),
  };
  for (let k = 0; k < best.seq; k++) next.journal.push(next.journal[0] as RunEvent); // its sequence goes on from the record's
  const adopted = reached.filter((h) => command(world, next, h, true)).length;
  if (adopted * 2 > world.hosts.length) world.controllers.push(next);
}

/** Killed and started again: what is journaled is all that it knows. */
export function restart(world: World, c: Controller): void {
  if (c.id === "c0") c.state = replay(c.journal);
  tell(world, c, { type: "controller-started", controller: c.id, epoch: epochOf(c) });
}

/** The next unread words of an agent; `again`: one that was read already. */
export function deliver(world: World, c: Controller, host: Host, again: boolean): void {
  if (!isLinked(c, host) || c.state.hosts[host.name]?.seen !== true || c.isFenced || c.isFrozen) return;
  const next = c.read.get(host.name) ?? 0;
  const event = host.outbox[again ? next - 1 : next];
  if (event === undefined) return;
  if (!again) c.read.set(host.name, next + 1);
  tell(world, c, event);
}
