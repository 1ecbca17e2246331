/** What a person may do to a live run besides stopping it: the acts, what each would do now or why it cannot be done now, and the fold's arm. Pure. */

import { EXIT } from "../errors.ts";
import type { RunEvent } from "./events.ts";
import { freeSpares, withoutExcluded } from "./exclude.ts";
import { patch } from "./host-fold.ts";
import { NCCL_LEVELS, type NcclLevel } from "./nccl-level.ts";
import { decide } from "./policy.ts";
import { isOver, membersOf, type RunState } from "./state.ts";
import { mayLaunch, minorityText } from "./takeover.ts";
import { troubled } from "./trouble.ts";

export type Act =
  /** The attempt is ended as by a stop and another one begins at once; it costs no budget. `attempt`: only if that one is the present one. */
  | { readonly do: "restart"; readonly attempt?: number }
  /** The run goes on without this host, for good: with a spare in its place, or smaller. */
  | { readonly do: "exclude"; readonly host: string }
  /** The same, and only with a spare. */
  | { readonly do: "take-spare"; readonly host: string }
  /** Of the attempts to come; null: what the file says. */
  | { readonly do: "nccl-debug"; readonly level: NcclLevel | null };

/** `text`: what it sets going. `isNew` false: it is so already, and nothing is done. */
export type Judged =
  | { readonly ok: true; readonly isNew: boolean; readonly text: string }
  /** `fix`: the command that helps. */
  | { readonly ok: false; readonly why: string; readonly fix: string };

export function judgeAct(state: RunState, act: Act): Judged {
  const closed = whyClosed(state);
  if (closed !== null) return closed;
  switch (act.do) {
    case "restart":
      return judgeRestart(state, act.attempt ?? state.attempt);
    case "exclude":
    case "take-spare":
      return judgeExclusion(state, act.host, act.do === "take-spare");
    case "nccl-debug": {
      if (act.level !== null && !NCCL_LEVELS.includes(act.level))
        return { ok: false, why: `the levels are ${NCCL_LEVELS.join(", ")}`, fix: `nexadist status ${state.spec.run}` };
      const isNew = (state.nccl?.next ?? null) !== act.level;
      const what = act.level === null ? "NCCL_DEBUG is what the file says" : `NCCL_DEBUG is ${act.level}`;
      return { ok: true, isNew, text: `${what} from the next attempt on; nexadist restart ${state.spec.run} begins one` };
    }
  }
}

/** Asked of a state in which it cannot be done it changes nothing: another event came first. */
export function acted(before: RunState, event: RunEvent & { readonly type: "acted" }): RunState {
  const { act, by, at } = event;
  const judged = judgeAct(before, act);
  if (!judged.ok || !judged.isNew) return before;
  const state: RunState = { ...before, acts: (before.acts ?? 0) + 1 };
  if (act.do === "nccl-debug") return { ...state, nccl: { now: state.nccl?.now ?? null, next: act.level } };
  const ended = { kind: "asked", at, rank: null, exit: EXIT.runFailed, problem: null } as const;
  if (act.do === "restart") return troubled(state, { ...ended, host: null, text: `${by} asked for another attempt` });
  const next = patch(state, act.host, () => ({ excluded: { by, needsSpare: act.do === "take-spare" } }));
  if (!state.members.includes(act.host)) return next;
  return troubled(next, { ...ended, host: act.host, text: act.do === "exclude" ? `${by} excluded ${act.host}` : `${by} took a spare in place of ${act.host}` });
}

/** For every act alike; null: it may go on. */
function whyClosed(state: RunState): (Judged & { ok: false }) | null {
  const { run, file } = state.spec;
  if (isOver(state)) return { ok: false, why: `it is over (${state.phase})`, fix: `nexadist up ${file ?? "FILE"} starts another run` };
  if (state.fenced !== null) return { ok: false, why: "another controller leads it", fix: `nexadist attach ${run}` };
  if (state.verdict !== null) return { ok: false, why: state.verdict === "succeeded" ? "it is done" : "it is being stopped", fix: `nexadist status ${run}` };
  return null;
}

function judgeRestart(state: RunState, attempt: number): Judged {
  const { run } = state.spec;
  const refuse = (why: string, fix = `nexadist status ${run}`): Judged => ({ ok: false, why, fix });
  if (attempt !== state.attempt) return refuse(`attempt ${attempt} is not the present one, that is attempt ${state.attempt}`);
  if (isBeforeRanks(state)) return refuse(state.queue === null ? "no attempt of it runs yet" : "it waits for GPUs");
  if (state.phase === "recovering" || state.trouble !== null) {
    const decision = decide(state);
    const next = state.phase === "recovering" && decision.go === "wait" ? decision.text : `attempt ${attempt + 1} follows anyway`;
    return refuse(`attempt ${attempt} has been ended already (${state.trouble?.text ?? ""}); ${next}`);
  }
  if (!mayLaunch(state)) return refuse(minorityText(state));
  const silent = membersOf(state).find((h) => !h.seen);
  if (silent !== undefined)
    return refuse(`${silent.name} does not answer, so nothing could be ended there`, `exclude ${silent.name}, or wait for it: nexadist status ${run}`);
  return { ok: true, isNew: true, text: `attempt ${attempt} is ended, attempt ${attempt + 1} goes on ${fromWhere(state)}; it costs no budget` };
}

function judgeExclusion(state: RunState, host: string, needsSpare: boolean): Judged {
  const { run, file, spares } = state.spec;
  const { hosts, members } = state;
  const refuse = (why: string, fix: string): Judged => ({ ok: false, why, fix });
  const known = hosts[host];
  if (known === undefined) return refuse(`it has no host ${host}; it has ${Object.keys(hosts).join(", ")}`, `nexadist status ${run}`);
  const isMember = members.includes(host);
  if (known.excluded !== undefined && (needsSpare || !known.excluded.needsSpare || !isMember))
    return { ok: true, isNew: false, text: `${host} is excluded already, by ${known.excluded.by}` };
  if (isBeforeRanks(state)) return refuse("no attempt of it runs yet", `nexadist stop ${run}, then nexadist up --exclude ${host} ${file ?? "FILE"}`);
  if (!isMember && needsSpare) return refuse(`${host} takes no part in it`, `nexadist status ${run}`);
  if (!isMember) return { ok: true, isNew: true, text: `${host} takes no part now, and is not taken any more` };
  if (state.phase !== "recovering" && !mayLaunch(state)) return refuse(minorityText(state), `nexadist status ${run}`);
  const places = withoutExcluded({ ...state, hosts: { ...hosts, [host]: { ...known, excluded: { by: "", needsSpare } } } });
  if (places.go !== "with") {
    const free = spares.length === 0 ? "the file names no spares" : `no spare is ready (${spares.join(", ")})`;
    const least = "fewer hosts than min_hosts would be left";
    return needsSpare
      ? refuse(free, `nexadist hosts shows how the spares are; or exclude ${host}, and the run shrinks`)
      : refuse(`${free}, and ${least}`, `a smaller min_hosts in ${file ?? "FILE"}, then nexadist stop ${run} and nexadist up --exclude ${host}`);
  }
  const [spare] = freeSpares(state, members);
  const with_ = spare === undefined ? `on ${places.members.join(", ")}` : `with ${spare.name} in place of ${host}`;
  const ends = state.trouble === null ? `attempt ${state.attempt} is ended, attempt ${state.attempt + 1}` : `attempt ${state.attempt + 1}`;
  return { ok: true, isNew: true, text: `${ends} goes on ${with_}, ${fromWhere(state)}; it costs no budget` };
}

const fromWhere = ({ spec }: RunState): string =>
  spec.paths.checkpoints === undefined ? "without a checkpoint (the file names no paths.checkpoints)" : "from the last complete checkpoint";

/** In the first attempt a failure ends the run until all is launched, and diag has its word before. */
const isBeforeRanks = ({ phase, attempt, trouble }: RunState): boolean =>
  phase === "connecting" || phase === "preparing" || attempt === 0 || (attempt === 1 && trouble === null && phase === "arming");
