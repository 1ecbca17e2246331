/** Brings together what is known of an attempt that ended, from the journal, the stored logs and the hosts that answer, and names its cause. Never rejects. */

import { type Evidence, NO_EVIDENCE } from "../../cluster/cause/evidence.ts";
import { rootCause } from "../../cluster/cause/root-cause.ts";
import type { Way } from "../../cluster/diag/pairs/attribute.ts";
import { type HostEvidence, hostEvidence } from "../../cluster/host-evidence.ts";
import type { Cause } from "../../cluster/run/cause.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { fromJournal } from "./attempt-evidence.ts";
import { readTails, whenHere } from "./tails.ts";

/** In all: hosts that have not answered by then are judged by what is here. */
const WAIT_MS = 3000;

export type CauseSources = {
  readonly state: RunState;
  /** Of the run's journal, in order; those of other attempts are passed over. */
  readonly events: readonly RunEvent[];
  /** Directory that the run's LogStore was opened on. */
  readonly logsDir: string;
  /** The reply value of {do: "evidence", ...fence, attempt} from a host, or null where it cannot be asked. Rejecting is the same as null. */
  readonly ask: (host: string) => Promise<unknown>;
  /** Who reaches whom now. Never rejects. */
  readonly knock: () => Promise<readonly Way[]>;
  readonly now: () => number;
  /** Takes secret values out of a text. */
  readonly conceal: (text: string) => string;
};

export async function gatherCause(sources: CauseSources): Promise<Cause> {
  try {
    return concealed(rootCause(await gather(sources)), sources.conceal);
  } catch (error) {
    console.error(error); // a bug of ours: the attempt is over all the same
    return concealed(asTold(sources.state), sources.conceal);
  }
}

async function gather({ state, events, logsDir, ask, knock, now }: CauseSources): Promise<Evidence> {
  const told = fromJournal(state, events);
  const order = told.exits.map(({ rank }) => rank);
  const hosts = [...new Set([...state.members, ...told.ranks.map(({ host }) => host)])];
  const deadline = performance.now() + WAIT_MS;
  const [ways, replies] = await Promise.all([knock(), Promise.all(hosts.map((host) => askHost(host, state.hosts[host]?.seen === true, ask, now)))]);
  const answered = replies.filter((reply) => reply !== null);
  await whenHere(
    logsDir,
    answered.map(({ host, reply }) => ({ host, sizes: reply.sizes })),
    deadline,
  );
  const tails = await readTails(logsDir, state.attempt, hosts, order);
  return {
    ...NO_EVIDENCE,
    ...told,
    tails,
    ways,
    errorFiles: answered.flatMap(({ host, reply }) => reply.errors.map((error) => ({ host, ...error }))),
    kernel: answered.flatMap(({ host, reply }) => reply.kernel.map((line) => ({ host, ...line }))),
    ooms: answered.flatMap(({ host, reply }) => (reply.oomKills === null ? [] : [{ host, kills: reply.oomKills }])),
    fullDisks: answered.flatMap(({ host, reply }) => reply.fullDisks.map((path) => ({ host, path }))),
    clockOffsetMs: Object.fromEntries(answered.map(({ host, offsetMs }) => [host, offsetMs])),
  };
}

type Answer = { readonly host: string; readonly reply: HostEvidence; readonly offsetMs: number };

async function askHost(host: string, isSeen: boolean, ask: CauseSources["ask"], now: () => number): Promise<Answer | null> {
  if (!isSeen) return null;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, WAIT_MS, null);
  });
  const reply = hostEvidence.safeParse(await Promise.race([ask(host).catch(() => null), late]));
  clearTimeout(timer);
  // Its clock was read last, just before it answered.
  return reply.success ? { host, reply: reply.data, offsetMs: reply.data.now - now() } : null;
}

const concealed = (cause: Cause, conceal: (text: string) => string): Cause => ({
  ...cause,
  text: conceal(cause.text),
  place: cause.place === null ? null : conceal(cause.place),
  evidence: cause.evidence.map(conceal),
});

/** What was known at once: all there is to an end that a person asked for. */
export function asTold({ trouble }: RunState): Cause {
  const { kind = "unknown", text = "the attempt ended, and nothing says why", host = null, rank = null, problem = null } = trouble ?? {};
  return { kind, code: problem?.code ?? null, text, host, rank, place: null, exitCode: null, evidence: [], isFinal: false };
}
