/** How long nobody has heard of a host, as of now, and why: the age that a reason had when it was noted grows stale. */

import type { HostState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import { formatDuration } from "./duration.ts";

export function unseenFor(host: HostState, now: number): string {
  const age = host.unseenAt === null ? "" : ` for ${formatDuration(now - host.unseenAt)}`;
  const why = whyUnseen(host);
  return `unseen${age}${why === "" ? "" : `: ${why}`}`;
}

/** The reason without its age. */
export const whyUnseen = (host: HostState): string => sanitiseWord(host.unseenWhy.replace(/ for \d+ s$/, ""));
