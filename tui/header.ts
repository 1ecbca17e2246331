/** The two rows on top: which run, how it does, and where the person is among the screens. */

import { hostsOf, isOver, membersOf, type RunState } from "../cluster/run/state.ts";
import { concernsOf } from "./concerns.ts";
import { clockSpan, plural, shortSpan, timeOfDay } from "./format.ts";
import { KEYS } from "./keys.ts";
import { columnsOf, type Line, type Span, span, type Tone } from "./line.ts";
import type { Link, Model } from "./model.ts";
import { apart } from "./panes.ts";
import type { Screen, ScreenId } from "./screen.ts";

/** The higher, the sooner it goes where there is no room. */
type Part = { readonly spans: readonly Span[]; readonly drop: number };

const part = (drop: number, text: string, tone: Tone = "plain"): Part => ({ spans: [span(text, tone)], drop });

export function headerLine({ run, runs, link, now, isReadonly }: Model, columns: number): Line {
  const right: Part[] = [...(isReadonly ? [part(2, "read only", "warn")] : []), ...linkParts(link, now), part(columns >= 160 ? 3 : 9, timeOfDay(now), "dim")];
  if (run === null) return fitParts([part(1, "nexadist", "title"), part(0, plural(runs.length, "run"))], right, columns);
  const { state } = run;
  const { spec, attempt, world } = state;
  const [word, tone] = phaseWord(state);
  // What a silent host's ranks do nobody knows.
  const alive = Object.values(state.ranks).filter(
    ({ exit, host }) => exit === null && state.hosts[host]?.seen === true && state.hosts[host]?.lost === null,
  ).length;
  const members = state.members.length > 0 ? membersOf(state) : hostsOf(state);
  const seen = members.filter((host) => (state.attempt === 0 ? host.stage !== "waiting" && host.stage !== "refused" : host.seen)).length;
  const isShort = seen < members.length;
  return fitParts(
    [
      part(8, "nexadist", "title"),
      part(0, run.id, "title"),
      part(0, word, tone),
      ...(attempt === 0 ? [] : [part(3, `attempt ${attempt}`)]),
      ...(state.spent === 0 || spec.restart.max === 0 ? [] : [part(6, `restarts ${state.spent}/${spec.restart.max}`)]),
      part(4, `${isOver(state) ? "took" : "up"} ${clockSpan((state.endedAt ?? now) - state.requestedAt)}`),
      ...(isOver(state)
        ? []
        : [part(isShort ? 1 : 4, `hosts ${seen}/${members.length}`, isShort ? "warn" : "plain"), ...(world === 0 ? [] : [part(7, `ranks ${alive}/${world}`)])]),
      ...(columns < 160 || spec.launcher === "command" ? [] : [part(9, spec.launcher, "dim")]),
    ],
    right,
    columns,
  );
}

function linkParts(link: Link, now: number): readonly Part[] {
  switch (link.state) {
    case "ok":
      return [part(5, "controller ok", "dim")];
    case "lost":
      return [part(0, `NO CONTROLLER ${shortSpan(now - link.since)}`, "bad")];
    case "replay": {
      const at = `${clockSpan(now - link.from)} of ${clockSpan(link.to - link.from)}`;
      return [part(0, link.speed === 0 ? `REPLAY stands at ${at}` : `REPLAY x${link.speed} ${at}`, "accent")];
    }
  }
}

function fitParts(left: readonly Part[], right: readonly Part[], columns: number): Line {
  const widthAt = (most: number): number =>
    2 + [...left, ...right].filter(({ drop }) => drop <= most).reduce((sum, { spans }) => sum + columnsOf(spans) + 2, 0);
  let most = 9;
  while (most > 0 && widthAt(most) > columns) most -= 1;
  const join = (parts: readonly Part[]): Line => parts.filter(({ drop }) => drop <= most).flatMap(({ spans }, k) => (k === 0 ? spans : [span("  "), ...spans]));
  return apart([span(" "), ...join(left)], [...join(right), span(" ")], columns);
}

/** In capitals: it is read from across the room. */
export function phaseWord(state: RunState): readonly [string, Tone] {
  const isQuiet = membersOf(state).some((host) => !host.seen);
  if (state.fenced !== null) return ["LED ELSEWHERE", "warn"];
  if (state.queue !== null && state.verdict === null) return ["WAITING FOR GPUS", "warn"];
  if (state.phase === "running") return state.hang !== null ? ["HANGS", "bad"] : isQuiet ? ["DEGRADED", "warn"] : ["RUNNING", "good"];
  const tone: Tone = state.phase === "failed" ? "bad" : state.phase === "succeeded" ? "good" : state.phase === "stopped" ? "plain" : "warn";
  return [state.phase.toUpperCase(), tone];
}

export function tabsLine(model: Model, screens: readonly Screen[], present: ScreenId, columns: number): Line {
  const concerns = model.run === null ? [] : concernsOf(model.run.state);
  const isBad = concerns.some(({ severity }) => severity === "error");
  const count = concerns.length === 0 ? [] : [span(plural(concerns.length, "finding"), isBad ? "bad" : "warn"), span("  ")];
  const right = (help: string): Line => [...count, span(help, "dim"), span(" ")];
  const tabs = (letters: number): Line =>
    screens.map(({ id, title }) => {
      const word = id === present ? title : title.slice(0, letters);
      return span(` ${KEYS[id].chords[0]}${word === "" ? "" : ` ${word}`} `, id === present ? "chosen" : "plain");
    });
  const ways = [20, 5, 4, 0].flatMap((letters) => ["? help", "?"].map((help) => [tabs(letters), right(help)] as const));
  const [left, end] = ways.find((way) => way.reduce((sum, each) => sum + columnsOf(each), 0) <= columns) ?? [tabs(0), right("?")];
  return apart(left, end, columns);
}
