/** How long nobody has heard of a host, as of now, and why: the age that a reason had when it was noted grows stale. */

import type { HostState } from "../run/state.ts";
import { withoutHost } from "./about-host.ts";
import { formatDuration } from "./duration.ts";

export const unseenSince = (host: HostState, now: number): string => (host.unseenAt === null ? "unseen" : `unseen for ${formatDuration(now - host.unseenAt)}`);

/** The reason without its age. */
export const whyUnseen = (host: HostState): string => withoutHost(host.name, host.unseenWhy.replace(/ for \d+ s$/, ""));

export const NEEDS_AUTH = "needs-auth";
export const LOG_IN = "log in anew";
/** It refuses our credentials: who logs in again hears of it again. */
export const needsAuth = (host: HostState): boolean => !host.seen && host.unseenKind === "auth" && host.lost === null;
