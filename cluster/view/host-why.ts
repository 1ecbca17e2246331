/** Why a host is out of sight: what was heard from it last, and what the other hosts see of it. */

import { type HostState, hostsOf, isOver, membersOf, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import { formatDuration } from "./duration.ts";
import { firstLine } from "./paragraph.ts";
import { LOG_IN, NEEDS_AUTH, needsAuth, whyUnseen } from "./unseen.ts";

/** A line for each host of a live run that is unseen or lost; too long for a column. */
export function whyLines(state: RunState, now: number): readonly string[] {
  if (isOver(state)) return [];
  return hostsOf(state).flatMap((host) => {
    const why = whyOf(state, host, now);
    return why === "" ? [] : [`${sanitiseWord(host.name)}: ${sanitiseWord(why)}`];
  });
}

function whyOf(state: RunState, host: HostState, now: number): string {
  if (host.lost !== null) return firstLine(host.lost);
  if (host.seen || host.stage === "waiting" || host.stage === "refused") return "";
  const why = whyUnseen(host);
  const { witness = null, unseenHint: hint = "" } = host;
  if (needsAuth(host))
    return `${NEEDS_AUTH}: it refuses our credentials: ${LOG_IN}, and it is heard again by itself; its ranks are not touched (${why})${hint === "" ? "" : `; try: ${hint}`}`;
  return witness === null ? why : `${why}; ${witnessWords(state, host)} (the same for ${formatDuration(Math.max(0, now - witness.at))})`;
}

/** What the second witness says; "": nobody was asked yet. */
export function witnessWords(state: RunState, { name, witness = null }: HostState): string {
  if (witness === null) return "";
  const by = witness.by.map((host) => sanitiseWord(host)).join(", ");
  const verb = (one: string, many: string): string => (witness.by.length === 1 ? one : many);
  switch (witness.saw) {
    case "alive":
      return `${by} ${verb("reaches", "reach")} it: the host is alive, its agent or the link from here is gone; nothing is restarted`;
    case "mute":
      return `${by} ${verb("connects", "connect")} to it and ${verb("hears", "hear")} nothing: it may be frozen`;
    case "dead":
      return `${by} cannot reach it either`;
    case "cut-off": {
      const members = membersOf(state);
      const silent = members.filter((h) => !h.seen).length;
      return `${silent} of ${members.length} hosts are silent: this machine may be the one that is cut off; nothing is restarted`;
    }
    case "nobody":
      return membersOf(state).some((h) => h.name !== name)
        ? "no other host can be asked about it; it is waited for"
        : "there is no other host to ask about it; it is waited for";
  }
}

/** The same in few words, for a table of runs. */
export function witnessBrief({ witness = null }: HostState): string {
  if (witness === null) return "";
  const [first = ""] = witness.by;
  const words = { alive: `${first} reaches it`, mute: `${first} hears nothing there`, dead: `${first} cannot reach it either` } as const;
  return witness.saw === "cut-off" ? "is this machine cut off?" : witness.saw === "nobody" ? "nobody else can be asked" : words[witness.saw];
}
