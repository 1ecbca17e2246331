/** Watches one attempt get on: its pace from the lines of its ranks, and the end of it by looking at them when they have been quiet for too long. */

import { StringDecoder } from "node:string_decoder";
import type { Look } from "../../cluster/hang/look.ts";
import { type Progress, watchProgress } from "../../cluster/hang/progress.ts";
import { judgeLooks, LOOK_AGAIN_MS } from "../../cluster/hang/suspicion.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { membersOf, type RunState } from "../../cluster/run/state.ts";
import { kindOf } from "../../cluster/steps/line-kind.ts";
import { type PaceWatch, watchPace } from "../../cluster/steps/pace.ts";
import { readLine } from "../../cluster/steps/read-line.ts";
import { parseStream } from "./line-feed.ts";
import { type NcclWatchDeps, watchNccl } from "./nccl-watch.ts";

export type HangWatchDeps = {
  readonly state: () => RunState;
  readonly now: () => number;
  readonly isAwake: () => boolean;
  readonly look: () => Promise<Look>;
  readonly hardware: NcclWatchDeps["hardware"];
  readonly apply: (event: RunEvent) => void;
};

export type HangWatch = {
  /** Every fresh piece of every log stream of the run, as it arrives. */
  readonly push: (host: string, stream: string, data: Uint8Array, at: number) => void;
  readonly pace: PaceWatch;
  readonly close: () => void;
};

const EVERY_MS = 1000;
/** After a look that found something moving the ranks are left in peace for so long. */
const REST_MS = 30_000;
/** Of a flood of output only the end is read. In bytes. */
const READ = 16 * 1024;
/** Of so many lines of a piece it is also read what they say: a pace needs no more, and a flood costs little. */
const SAID = 8;

/** Begun when the ranks of an attempt run, closed when they do not any more. */
export function watchForHang(deps: HangWatchDeps): HangWatch {
  const { attempt, spec } = deps.state();
  const progress: Progress = watchProgress({ hangMs: spec.timeouts.hangMs, firstStepMs: spec.timeouts.firstStepMs }, deps.now());
  const pace = watchPace();
  const nccl = watchNccl(deps);
  const pattern = spec.stepPattern === undefined ? null : new RegExp(spec.stepPattern);
  const lines = new Map<string, { readonly decoder: StringDecoder; rest: string }>();
  let isHung = deps.state().hang !== null;
  let hungAt = deps.now();
  let isClosed = false;
  let isLooking = false;
  let restUntil = 0;
  let timer: NodeJS.Timeout | undefined;

  const push = (host: string, stream: string, data: Uint8Array, at: number): void => {
    const name = parseStream(stream);
    if (isClosed || name.attempt !== attempt) return;
    const key = `${host}\n${stream}`;
    const part = lines.get(key) ?? { decoder: new StringDecoder("utf8"), rest: "" };
    lines.set(key, part);
    const tail = data.subarray(Math.max(0, data.length - READ));
    const found = (part.rest + part.decoder.write(Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength))).split(/[\r\n]+/);
    part.rest = (found.pop() ?? "").slice(0, READ);
    if (name.stream === "nccl") {
      for (const line of found) nccl.line(host, name.rank ?? 0, line);
      return;
    }
    if (part.rest !== "") found.push(part.rest); // a progress bar ends no line
    for (const [index, line] of found.entries()) {
      const { kind, said } = found.length - index <= SAID ? readLine(line, pattern) : { kind: kindOf(line), said: null };
      progress.line(key, line, at, kind);
      if (said !== null && name.rank !== null) pace.say(name.rank, said, at);
    }
    if (isHung && progress.movedSince(hungAt)) over();
  };

  const over = (): void => {
    isHung = false;
    deps.apply({ at: deps.now(), type: "hang-over", attempt });
  };

  const tick = async (): Promise<void> => {
    const state = deps.state();
    if (isHung || isLooking || state.phase !== "running" || state.attempt !== attempt || !deps.isAwake()) return;
    const now = deps.now();
    // What a host that is out of sight did cannot be known, and what it wrote comes only afterwards.
    if (membersOf(state).some((host) => !host.seen)) return progress.forgive(now);
    progress.forgive(state.awakeSince);
    const due = progress.due(now);
    if (due === null || now < restUntil) return;
    isLooking = true;
    const stillAt = progress.lastAt();
    const isSame = (then: RunState): boolean => then.phase === "running" && then.awakeSince === state.awakeSince && membersOf(then).every((host) => host.seen);
    const first = await deps.look();
    await pause(LOOK_AGAIN_MS);
    const second = isClosed ? first : await deps.look();
    isLooking = false;
    if (isClosed || progress.lastAt() !== stillAt || !deps.isAwake() || !isSame(deps.state())) return;
    const verdict = judgeLooks(first, second, due, deps.now());
    if (verdict === null) {
      restUntil = deps.now() + REST_MS;
      return;
    }
    isHung = true;
    hungAt = deps.now();
    deps.apply({ at: hungAt, type: "hang-found", attempt, verdict });
  };

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
  const again = (): void => {
    timer = setTimeout(() => {
      tick()
        .catch((error: unknown) => {
          isLooking = false;
          console.error(error);
        })
        .finally(() => !isClosed && again());
    }, EVERY_MS);
  };
  again();
  return {
    push,
    pace,
    close: () => {
      isClosed = true;
      nccl.close();
      clearTimeout(timer);
    },
  };
}
