/** Says who is awaited when nothing has been said for a while: a host that is off lets a person wait in silence. */

import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { Context } from "./context.ts";

const SILENCE_MS = 2000;
const AGAIN_MS = 15_000;
/** More are counted. */
const NAMES = 6;

/** Host and what is awaited of it; one command waits in a process. */
const awaited = new Map<string, string>();
let timer: NodeJS.Timeout | undefined;

/** Waits for `answer` of a host; off a terminal as well, for logs of scripts that hang are read too. */
export async function awaiting<T>(context: Context, host: string, what: string, answer: Promise<T>): Promise<T> {
  awaited.set(host, what);
  timer ??= setTimeout(() => tell(context), SILENCE_MS);
  try {
    return await answer;
  } finally {
    awaited.delete(host);
    if (awaited.size === 0) {
      clearTimeout(timer);
      timer = undefined;
    }
  }
}

function tell(context: Context): void {
  for (const line of awaitedLines([...awaited])) context.say(line);
  timer = setTimeout(() => tell(context), AGAIN_MS);
}

export function awaitedLines(waits: readonly (readonly [string, string])[]): readonly string[] {
  const kinds = [...new Set(waits.map(([, what]) => what))];
  return kinds.map((what) => {
    const hosts = waits.filter((wait) => wait[1] === what).map(([host]) => sanitiseWord(host));
    const more = hosts.length > NAMES ? ` and ${hosts.length - NAMES} more` : "";
    return `waiting for ${hosts.slice(0, NAMES).join(", ")}${more}: ${what}; Ctrl-C leaves`;
  });
}
