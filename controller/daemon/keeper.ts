/** Keeps one host linked: connect, look, bring the agent up, link; again with backoff when it breaks. Serves all runs on that host. */

import type { Duplex } from "node:stream";
import { fail, NexaError, type Problem, toProblem } from "../../cluster/errors.ts";
import type { BinaryHeader } from "../../cluster/frame.ts";
import type { HostFacts, HostSpec } from "../../cluster/spec.ts";
import type { Lent } from "../../cluster/viewer.ts";
import { bringUpAgent, lookAt } from "../reach/bootstrap.ts";
import { connectHost } from "../reach/connect-host.ts";
import { proxyThroughHelper } from "../reach/helper.ts";
import { type AgentLink, openLink } from "../reach/link.ts";
import { openLocal } from "../reach/local-driver.ts";
import type { ReachOptions, Transport } from "../reach/transport.ts";
import { type Progress, watchProgress } from "./progress.ts";
import { asDuplex } from "./proxy-stream.ts";

export type Linked = {
  readonly transport: Transport;
  readonly link: AgentLink;
  readonly facts: HostFacts;
  readonly agent: { key: string; bundle: string; pid: number };
};

/** What a run hears of one of its hosts. */
export type HostListener = {
  readonly linked: (linked: Linked) => void;
  /** Not reached within the connect time; the keeper goes on trying. */
  readonly refused: (problem: Problem) => void;
  readonly lost: (why: string) => void;
  /** Whether an agent is to be there for it, by what a look has found; where nobody needs one, `past` is told and nothing is brought. */
  readonly isNeeded?: (facts: HostFacts) => boolean;
  readonly past?: () => void;
  /** The link stands, and nothing came for a while; and then something did. */
  readonly silent: (why: string) => void;
  readonly heard: () => void;
  readonly event: (run: string, event: unknown) => void;
  readonly frame: (header: BinaryHeader, data: Uint8Array) => void;
  readonly notice: (text: string) => void;
};

export type Keeper = {
  readonly current: () => Linked | null;
  readonly listen: (listener: HostListener, connectMs: number, lent: Lent) => () => void;
  /** A person waits: what is to be tried again later is tried now. */
  readonly hurry: () => void;
  readonly close: () => void;
};

/** Retries: 0.5 s, doubling to 15 s, with up to a quarter of jitter. */
const backoff = (tries: number): number => Math.min(15_000, 500 * 2 ** tries) * (1 + Math.random() / 4);
/** What fills a disk is not gone in seconds, and each try brings all of it again. */
const FULL_MS = 5 * 60_000;
/** A link that lived this long was a good one. */
const STEADY_MS = 30_000;
/** A link that no run uses stays warm for this long. */
const IDLE_MS = 10 * 60_000;
/** No retry mends these: the person must act. */
const FINAL: ReadonlySet<string> = new Set([
  "NO_SUCH_HOST",
  "HOST_KEY_UNKNOWN",
  "HOST_KEY_CHANGED",
  "HOST_KEY_REVOKED",
  "AUTH_FAILED",
  "NO_PYTHON",
  "FOREIGN_HOST",
  "HELPER_SILENT",
  "HELPER_REFUSED",
  "DISK_FULL",
  "VERSION_MISMATCH",
]);

/** What a dial does, one after the other. */
export type Ways = {
  readonly reach: typeof reach;
  readonly lookAt: typeof lookAt;
  readonly bringUpAgent: typeof bringUpAgent;
  readonly reachSocket: typeof reachSocket;
  readonly openLink: typeof openLink;
};

export function keepHost(host: HostSpec, controller: string, onIdle: () => void, ways: Ways = { reach, lookAt, bringUpAgent, reachSocket, openLink }): Keeper {
  const listeners = new Set<HostListener>();
  let linked: Linked | null = null;
  let lent: Lent = { env: {}, agentSocket: null, acceptNewHostKeys: false };
  let connectMs = 30_000;
  let tries = 0;
  let since = Date.now();
  let closed = false;
  let dialling: Progress | null = null;
  let hasLinked = false;
  let linkedAt = 0;
  let retry: NodeJS.Timeout | undefined;
  let idle: NodeJS.Timeout | undefined;
  const tell = (say: (listener: HostListener) => void): void => [...listeners].forEach(say);
  const notice = (text: string): void => tell((l) => l.notice(text));

  const dial = async (): Promise<void> => {
    if (dialling !== null || linked !== null || closed) return;
    const opened: { close: () => void }[] = [];
    const watch = watchProgress(host.name);
    dialling = watch;
    const step = (text: string): void => {
      watch.step(text);
      notice(text);
    };
    /** Nothing that was opened for a keeper that is closed stays open. */
    const open = async <T extends { close: () => void }>(making: Promise<T>): Promise<T> => {
      let isLate = false;
      void making.then(
        (made) => (isLate ? made.close() : opened.push(made)),
        () => undefined,
      );
      return await Promise.race([making, watch.stalled]).catch((error: unknown) => {
        isLate = true;
        throw error;
      });
    };
    try {
      step(tries === 0 ? "connecting" : "connecting again");
      const { acceptNewHostKeys, env } = lent;
      const options = { connectMs, acceptNewHostKeys, agentSocket: lent.agentSocket ?? undefined, env, notice: step };
      const transport = await open(ways.reach(host, options));
      step("looking");
      const facts = await Promise.race([ways.lookAt(transport, host), watch.stalled]);
      const all = [...listeners];
      if (all.length > 0 && all.every((l) => l.isNeeded?.(facts) === false)) {
        transport.close();
        return tell((l) => l.past?.());
      }
      // Only a first dial upgrades: two controllers of different builds would else replace each other's agent for ever.
      const agent = await Promise.race([ways.bringUpAgent(transport, host, facts, step, !hasLinked), watch.stalled]);
      step("linking");
      const stream = await Promise.race([ways.reachSocket(transport, host.name, agent.socket, () => open(ways.reach(host, options))), watch.stalled]);
      const link = await open(
        ways.openLink(host.name, stream, agent.token, controller, { onEvent: tellEvent, onFrame: tellFrame, onSilent: tellSilent, onHeard: tellHeard }),
      );
      if (closed) throw fail("NOT_WANTED", { host: host.name });
      const now: Linked = { transport, link, facts, agent: { key: agent.key, bundle: link.welcome.bundle, pid: link.welcome.pid } };
      linked = now;
      linkedAt = Date.now();
      hasLinked = true;
      void Promise.race([link.closed, transport.closed]).then((why) => linked === now && drop(why));
      tell((l) => l.linked(now));
    } catch (error) {
      for (const each of opened) each.close();
      if (!closed) again(error);
    } finally {
      watch.end();
      dialling = null;
    }
  };
  const tellEvent = (run: string, event: unknown): void => tell((l) => l.event(run, event));
  const tellSilent = (why: string): void => tell((l) => l.silent(why));
  const tellHeard = (): void => tell((l) => l.heard());
  const tellFrame = (header: BinaryHeader, data: Uint8Array): void => tell((l) => l.frame(header, data));

  const drop = (why: string): void => {
    if (linked === null) return;
    linked.link.close();
    linked.transport.close();
    linked = null;
    since = Date.now();
    tries = since - linkedAt > STEADY_MS ? 0 : tries + 1; // a link that dies at once is not dialled in a storm
    tell((l) => l.lost(why));
    schedule();
  };

  const again = (error: unknown): void => {
    if (!(error instanceof NexaError)) console.error(error);
    const problem = toProblem(error, host.name);
    tries += 1;
    if (FINAL.has(problem.code) || problem.code === "BUG" || Date.now() - since >= connectMs) {
      tell((l) => l.refused(problem));
    } else notice(`${problem.message}; trying again`);
    schedule(problem.code === "DISK_FULL" ? FULL_MS : 0);
  };

  const schedule = (leastMs = 0): void => {
    clearTimeout(retry);
    const left = since + connectMs - Date.now(); // the try that decides whether it was reached in time comes when the time is over, not later
    const wait = left > 0 ? Math.min(backoff(tries), left) : backoff(tries);
    if (!closed && listeners.size > 0) retry = setTimeout(() => void dial(), Math.max(wait, leastMs));
  };

  const listen: Keeper["listen"] = (listener, withinMs, lends) => {
    listeners.add(listener);
    clearTimeout(idle);
    lent = lends;
    connectMs = withinMs;
    if (linked !== null) {
      const now = linked;
      queueMicrotask(() => listeners.has(listener) && listener.linked(now));
    } else {
      since = Date.now();
      tries = 0;
      clearTimeout(retry);
      void dial();
    }
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && !closed) idle = setTimeout(close, linked === null ? 0 : IDLE_MS);
    };
  };

  const hurry = (): void => {
    if (linked !== null || listeners.size === 0) return;
    tries = 0;
    clearTimeout(retry);
    void dial();
  };

  const close = (): void => {
    closed = true;
    dialling?.giveUp();
    clearTimeout(retry);
    clearTimeout(idle);
    linked?.link.close();
    linked?.transport.close();
    linked = null;
    onIdle();
  };

  return { current: () => linked, listen, hurry, close };
}

export const reach = (host: HostSpec, options: ReachOptions): Promise<Transport> =>
  host.transport === "local" || host.isSeat === true
    ? Promise.resolve(openLocal(host.name, options))
    : connectHost({ ...host, host: host.sshHost ?? host.name }, options);

/**
 * The agent's socket: forwarded by sshd where it may, else piped through a helper on an exec channel. That holds a session for as long
 * as the link, so it has a connection of its own: under MaxSessions 1 nothing else could run.
 */
export async function reachSocket(transport: Transport, host: string, path: string, another: () => Promise<Transport>): Promise<Duplex> {
  try {
    return await transport.openSocket(path);
  } catch (error) {
    if (!(error instanceof NexaError) || error.code !== "STREAMLOCAL_REFUSED") throw error;
    const own = await another();
    const stream = asDuplex(await proxyThroughHelper(own, host, path));
    stream.once("close", own.close);
    return stream;
  }
}
