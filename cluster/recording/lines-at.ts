/** Lines of a recording as a controller would have answered at a time, and what they said of the training's progress. */

import { type PaceWatch, watchPace } from "../steps/pace.ts";
import { readLine } from "../steps/read-line.ts";
import type { LogLine, LogQuery } from "../viewer.ts";
import type { Recording } from "./recording.ts";
import type { Timeline } from "./timeline.ts";

export type LinesAt = {
  /** Whether a query means the line, at a time when `latest` was the attempt. */
  readonly isWanted: (line: LogLine, want: LogQuery, latest: number) => boolean;
  /** Those that were stored then. */
  readonly stored: (want: LogQuery, at: number) => readonly LogLine[];
  /** Of the attempt of then. */
  readonly paceAt: (at: number) => PaceWatch;
};

export function makeLinesAt({ lines }: Recording, timeline: Timeline): LinesAt {
  const isWanted: LinesAt["isWanted"] = (line, want, latest) =>
    (want.attempt === null ? (want.follow ? line.attempt >= latest : line.attempt === latest) : line.attempt === want.attempt) &&
    want.streams.includes(line.stream) &&
    (want.hosts === null || want.hosts.includes(line.host)) &&
    (want.ranks === null || (line.rank !== null && want.ranks.includes(line.rank)));
  let read = { count: 0, attempt: -1, watch: watchPace() };

  return {
    isWanted,
    stored: (want, at) => {
      const { attempt } = timeline.stateAt(at);
      const { since, last } = want;
      const chosen: LogLine[] = [];
      // From the end: who wants the last few needs no look at the others.
      for (let k = timeline.linesBy(at) - 1; k >= 0 && (last === null || chosen.length < last); k -= 1) {
        const line = lines[k];
        if (line === undefined || (since !== null && line.at < since)) break;
        if (isWanted(line, want, attempt)) chosen.push(line);
      }
      return chosen.reverse();
    },
    paceAt: (at) => {
      const count = timeline.linesBy(at);
      const { attempt, spec } = timeline.stateAt(at);
      if (count < read.count || attempt !== read.attempt) read = { count: 0, attempt, watch: watchPace() };
      const pattern = spec.stepPattern === undefined ? null : patternOf(spec.stepPattern);
      for (let line = lines[read.count]; read.count < count && line !== undefined; line = lines[read.count]) {
        read.count += 1;
        if (line.attempt !== attempt || line.rank === null || line.stream === "nccl" || line.gap !== undefined) continue;
        const { said } = readLine(line.text, pattern);
        if (said !== null) read.watch.say(line.rank, said, line.at);
      }
      return read.watch;
    },
  };
}

/** null: of a recording that somebody made by hand. */
function patternOf(text: string): RegExp | null {
  try {
    return new RegExp(text);
  } catch {
    return null;
  }
}
