/** One host of one run: takes over what its agent says, events and log bytes, exactly once, and acknowledges what is on disk. */

import { getSystemErrorMessage } from "node:util";
import { agentEventSchema } from "../../cluster/agent-event.ts";
import { NexaError, toProblem } from "../../cluster/errors.ts";
import type { BinaryHeader } from "../../cluster/frame.ts";
import { adoptReply, type RunRecord } from "../../cluster/protocol.ts";
import type { RunEvent, UnseenKind } from "../../cluster/run/events.ts";
import type { HostStage, HostState } from "../../cluster/run/state.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Lent } from "../../cluster/viewer.ts";
import { runDir } from "../paths.ts";
import type { AgentLink } from "../reach/link.ts";
import type { Entry } from "./entries.ts";
import type { Keeper, Linked } from "./keeper.ts";
import type { LogStore } from "./log-store.ts";
import { translate } from "./translate.ts";
import { whoLeads } from "./who-leads.ts";

export type IntakeDeps = {
  readonly host: HostSpec;
  readonly run: string;
  readonly keeper: Keeper;
  readonly connectMs: number;
  readonly lent: Lent;
  readonly logs: LogStore;
  /** Index of the first agent event that the journal lacks. */
  readonly from: number;
  /** How often that agent had lost events by then. */
  readonly rebuilt: number;
  readonly record: () => RunRecord;
  readonly apply: (...entries: readonly Entry[]) => void;
  readonly onBytes: (host: string, stream: string, data: Uint8Array, at: number) => void;
  readonly notice: (text: string) => void;
  readonly stage: () => HostStage;
  /** What a look at it finds is not known: it was never linked, or another controller linked it. */
  readonly needsFacts: () => boolean;
  readonly attempt: () => number;
  /** That took the run on: its key names the boot and the container. null: none did yet. */
  readonly agent: () => HostState["agent"];
  /** Where nothing but an end is owed: the boot in which it can be. */
  readonly bootOfDebt: () => string | null;
  /** Whether the rank is one of this host's in that attempt. */
  readonly owns: (rank: number, attempt: number) => boolean;
  /** A run that is being taken over went on meanwhile. */
  readonly takenAgain: (link: AgentLink) => Promise<RunEvent | null>;
  /** The host can take commands. */
  readonly ready: (linked: Linked) => void;
  /** The link went: what was asked over it may not have arrived. */
  readonly lost: () => void;
};

export type HostIntake = {
  /** The link, once the agent has taken the run on; null while there is none. */
  readonly linked: () => Linked | null;
  /** Events before this are journaled: the agent may forget them. */
  readonly acknowledge: () => void;
  /** Dials at once, where it waits to try again. */
  readonly hurry: () => void;
  readonly dispose: () => void;
};

/** Log acknowledgements: at the latest after this many bytes or milliseconds. */
const ACK_BYTES = 512 * 1024;
const ACK_MS = 100;
/** Between two looks whether there is room for logs again. */
const ROOM_MS = 2000;

export function takeHost(deps: IntakeDeps): HostIntake {
  const { host, run, logs } = deps;
  let linked: Linked | null = null;
  let next = deps.from;
  let acknowledged = deps.from;
  let rebuilt = deps.rebuilt;
  let unseenWhy = "";
  let unacked = 0;
  let ackTimer: NodeJS.Timeout | undefined;
  let held: NodeJS.Timeout | undefined;
  let dirty = new Set<string>();
  /** Final sizes that the agent told, until the disk has them. */
  let expected: { readonly index: number; readonly attempt: number; readonly sizes: Readonly<Record<string, number>> } | null = null;

  const onLinked = async (found: Linked): Promise<void> => {
    const { link } = found;
    const record = deps.record();
    const fence = { run, epoch: record.epoch, controller: record.controller };
    const before = deps.agent();
    const isOtherBoot = before !== null && before.key !== found.agent.key;
    let sessionNames: readonly string[] | undefined;
    try {
      const { events, sessionNames: names, rebuilt: lost } = adoptReply.parse(await link.command({ do: "adopt", ...fence, record }));
      if (lost !== undefined && lost.count !== rebuilt) {
        deps.notice(`its agent's disk has lost events, and they were made good from what else it has; all are read again: ${lost.why}`);
        [rebuilt, next, acknowledged] = [lost.count, 0, 0];
      }
      if (events < next) {
        // Where it was started again, what it had is gone with the boot before, and that is told as such.
        if (!isOtherBoot) deps.notice("the agent has lost its record of this run; what it says from now on is taken as new");
        next = events;
        acknowledged = events;
      }
      sessionNames = names;
      await link.command({ do: "subscribe", ...fence, eventsFrom: next, cursors: logs.cursors(host.name) });
    } catch (error) {
      if (!(error instanceof NexaError && error.code === "LINK_LOST")) await notTaken(found, error);
      return;
    }
    linked = found;
    unseenWhy = "";
    const stage = deps.stage();
    if (isOtherBoot) deps.apply({ event: { at: Date.now(), type: "host-rebooted", host: host.name, attempt: deps.attempt(), agent: found.agent } });
    if (deps.needsFacts()) {
      const { facts, agent, transport } = found;
      deps.apply({
        event: {
          at: Date.now(),
          type: "host-connected",
          host: host.name,
          facts,
          dirs: link.welcome.dirs,
          agent,
          driver: transport.driver,
          why: transport.why,
          dialled: transport.address,
          sshPort: transport.port,
          ...(sessionNames === undefined ? {} : { sessionNames }),
        },
      });
    }
    if (stage !== "waiting") deps.apply({ event: { at: Date.now(), type: "host-seen", host: host.name } });
    deps.ready(found);
  };

  /** Fenced, or its disk is full: said at once, and tried again with the keeper's backoff. */
  const notTaken = async ({ link }: Linked, error: unknown): Promise<void> => {
    const problem = toProblem(error, host.name);
    const leader = problem.code === "FENCED" ? await whoLeads(link, run, deps.record().controller) : null;
    const again = problem.code === "RECORD_NEWER" || (problem.code === "FENCED" && leader === null) ? await deps.takenAgain(link) : null;
    if (again !== null) return deps.apply({ event: again });
    // A run that is new here and met another one of its name is no takeover.
    if (leader !== null && (deps.stage() !== "waiting" || leader.epoch > deps.record().epoch)) return deps.apply({ event: leader });
    if (deps.stage() === "waiting") return deps.apply({ event: { at: Date.now(), type: "host-refused", host: host.name, problem } });
    unseen(problem.message, "silent", problem.hint);
    link.close();
  };

  /** Told once for each reason. */
  const unseen = (why: string, kind: UnseenKind = "silent", hint = ""): void => {
    if (why === unseenWhy) return;
    unseenWhy = why;
    deps.apply({
      event: { at: Date.now(), type: "host-unseen", host: host.name, why, ...(kind === "auth" ? { kind } : {}), ...(hint === "" ? {} : { hint }) },
    });
  };

  const onEvent = (from: string, raw: unknown): void => {
    if (from !== run) return;
    const parsed = agentEventSchema.safeParse(raw);
    if (!parsed.success) {
      if (indexOf(raw) === next) next += 1; // asked for again it would be the same, and what follows it would never come
      return deps.notice(`an event of its agent cannot be read and counts for nothing: ${parsed.error.issues[0]?.message ?? ""}`);
    }
    const event = parsed.data;
    if (event.index < next) return; // sent twice
    if (event.index > next) return linked?.link.close(); // events are missing: they come again over a new link
    next = event.index + 1;
    if ("rank" in event.event && event.event.rank !== null && !deps.owns(event.event.rank, event.attempt)) {
      return deps.notice(`its agent speaks of rank ${event.event.rank}, which is not there; it counts for nothing`);
    }
    if (event.event.type === "drained") {
      expected = { index: event.index, attempt: event.attempt, sizes: event.event.sizes };
      return checkDrained();
    }
    const made = translate(host.name, event, Date.now());
    if (made !== null) deps.apply({ event: made, cursor: { host: host.name, index: event.index, ...(rebuilt === 0 ? {} : { rebuilt }) } });
  };

  let hasOddFrames = false;
  const oddFrame = (why: string): void => {
    if (!hasOddFrames) deps.notice(`its agent sends log bytes that cannot be its own (${why}); they are left out`);
    hasOddFrames = true;
  };

  const onFrame = (header: BinaryHeader, data: Uint8Array): void => {
    if ((header.t !== "log" && header.t !== "gap") || header.run !== run) return;
    const at = Date.now();
    try {
      if (header.t === "gap") logs.gap(host.name, header.stream, header.offset, header.to, header.why);
      else {
        const fresh = logs.write(host.name, header.stream, header.offset, data, at);
        if (fresh.length > 0) deps.onBytes(host.name, header.stream, fresh, at);
      }
    } catch (error) {
      if (error instanceof RangeError) return oddFrame(error.message); // its own doing: a new link would bring it again
      hold(error);
      return;
    }
    dirty.add(header.stream);
    unacked += data.length;
    if (unacked >= ACK_BYTES) ackLogs();
    else ackTimer ??= setTimeout(ackLogs, ACK_MS);
    checkDrained();
  };

  /** No reason to break the link, which carries commands too: what was not acknowledged is asked for again later. */
  const hold = (error: unknown): void => {
    if (held !== undefined) return;
    const { errno, code } = error as NodeJS.ErrnoException;
    if (errno !== undefined) {
      const isFull = code === "ENOSPC" || code === "EDQUOT";
      const what = isFull ? "the disk of this machine is full at" : `this machine refuses log lines (${getSystemErrorMessage(errno)}) at`;
      deps.notice(`${what} ${runDir(run)}; its log lines are kept on the host and fetched when there is room; training goes on`);
    }
    held = setTimeout(() => void takeAgain(), ROOM_MS);
  };

  const takeAgain = async (): Promise<void> => {
    held = undefined; // first: what comes together with the answer may find no room either
    const found = linked;
    const { epoch, controller } = deps.record();
    try {
      if (found !== null) await found.link.command({ do: "subscribe", run, epoch, controller, eventsFrom: next, cursors: logs.cursors(host.name) });
    } catch {
      found?.link.close(); // a new link asks for them too
    }
  };

  const ackLogs = (): void => {
    clearTimeout(ackTimer);
    ackTimer = undefined;
    unacked = 0;
    const cursors = Object.fromEntries([...dirty].map((stream) => [stream, logs.size(host.name, stream)]));
    dirty = new Set();
    linked?.link.ack(run, undefined, cursors);
  };

  const checkDrained = (): void => {
    if (expected === null || ["drained", "forgot"].includes(deps.stage())) return;
    const { attempt, sizes } = expected;
    if (Object.entries(sizes).every(([stream, size]) => size === 0 || logs.size(host.name, stream) >= size)) {
      expected = null;
      deps.apply({ event: { at: Date.now(), type: "host-drained", host: host.name, attempt } });
    }
  };

  const leave = deps.keeper.listen(
    {
      linked: (found) => void onLinked(found),
      refused: (problem) => {
        if (deps.stage() === "waiting") deps.apply({ event: { at: Date.now(), type: "host-refused", host: host.name, problem } });
        else unseen(problem.message, problem.code === "AUTH_FAILED" ? "auth" : "silent", problem.hint);
      },
      lost: (why) => {
        const was = linked;
        linked = null;
        if (was === null) return;
        deps.lost();
        if (deps.stage() !== "waiting") unseen(why);
      },
      isNeeded: ({ bootId }) => [null, bootId].includes(deps.bootOfDebt()),
      past: () => {
        const agent = deps.agent();
        if (agent !== null) deps.apply({ event: { at: Date.now(), type: "host-rebooted", host: host.name, attempt: deps.attempt(), agent } });
      },
      silent: (why) => {
        if (linked !== null) unseen(why);
      },
      heard: () => {
        if (linked === null || unseenWhy === "") return;
        unseenWhy = "";
        deps.apply({ event: { at: Date.now(), type: "host-seen", host: host.name } });
      },
      event: onEvent,
      frame: onFrame,
      notice: deps.notice,
    },
    deps.connectMs,
    deps.lent,
  );

  return {
    linked: () => linked,
    acknowledge: () => {
      const safe = expected === null ? next : Math.min(next, expected.index); // an undrained end must be told again after a restart
      if (acknowledged >= safe || linked === null) return;
      acknowledged = safe;
      linked.link.ack(run, safe, undefined);
    },
    hurry: deps.keeper.hurry,
    dispose: () => {
      clearTimeout(ackTimer);
      clearTimeout(held);
      leave();
    },
  };
}

const indexOf = (raw: unknown): unknown => (typeof raw === "object" && raw !== null && "index" in raw ? raw.index : undefined);
