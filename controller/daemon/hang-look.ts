/** Asks all hosts of an attempt at once what its ranks are doing. Never rejects. */

import { toProblem } from "../../cluster/errors.ts";
import { hostLook, type Look } from "../../cluster/hang/look.ts";
import type { RunRecord } from "../../cluster/protocol.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { Linked } from "./keeper.ts";
import { knockAtEachOther } from "./knock.ts";
import { ranksOfHost } from "./layout.ts";

/** An agent answers within 7 s; a link may be slow. */
const ANSWER_MS = 9000;

export type LookSources = {
  readonly state: RunState;
  readonly linked: (host: string) => Linked | null;
  readonly record: RunRecord;
  readonly now: () => number;
};

export async function lookAtRanks({ state, linked, record, now }: LookSources): Promise<Look> {
  const { run, epoch, controller } = record;
  const at = now();
  const ask = async (host: string): Promise<unknown> => linked(host)?.link.command({ do: "stacks", run, epoch, controller, attempt: state.attempt }) ?? null;
  const [ways, answers] = await Promise.all([
    knockAtEachOther({ state, linked }),
    Promise.all(state.members.map(async (host) => ({ host, ...(await askHost(host, ask)) }))),
  ]);
  return {
    at,
    until: now(),
    ways,
    ranks: answers.flatMap(({ host, look }) => {
      const own = ranksOfHost(state, host);
      return (look?.ranks ?? []).filter(({ rank }) => own.has(rank) && state.ranks[rank]?.exit?.code !== 0).map((rank) => ({ host, ...rank }));
    }),
    ras: answers.flatMap(({ host, look }) => (look === null || look.ras.length === 0 ? [] : [{ host, lines: look.ras }])),
    silent: answers.flatMap(({ host, why }) => (why === null ? [] : [{ host, why }])),
  };
}

type Answered = { readonly look: ReturnType<typeof hostLook.parse> | null; readonly why: string | null };

async function askHost(host: string, ask: (host: string) => Promise<unknown>): Promise<Answered> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answered>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS, { look: null, why: "it does not answer" });
  });
  const asked = ask(host).then(
    (reply): Answered => {
      if (reply === null) return { look: null, why: "there is no link to it" };
      const read = hostLook.safeParse(reply);
      return read.success ? { look: read.data, why: read.data.problem } : { look: null, why: "its answer cannot be read" };
    },
    (error: unknown): Answered => ({ look: null, why: toProblem(error, host).message }),
  );
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
