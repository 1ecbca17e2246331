/** `notify:` of the file to who is told of what. A webhook's URL lets anybody write there: it is a secret, wherever it stands. */

import { NOTICE_KINDS, type NotifySpec } from "../notify/spec.ts";
import { fileReference } from "./controller-paths.ts";
import { type Positions, problemIn } from "./located.ts";
import type { ConfigProblem, Path } from "./problem.ts";
import type { ClusterFile } from "./schema.ts";
import { type Surroundings, sortVariables } from "./secrets.ts";
import { splitCommand } from "./words.ts";

export type Notify = {
  /** null: nobody is told anything. */
  readonly spec: NotifySpec | null;
  readonly urls: Readonly<Record<string, string>>;
  readonly problems: readonly ConfigProblem[];
};

export function notifyOf({ notify }: ClusterFile, at: Positions, surroundings: Surroundings): Notify {
  if (notify === undefined) return { spec: null, urls: {}, problems: [] };
  const { webhook = [], command } = notify;
  const given = typeof webhook === "string" ? [webhook] : webhook;
  const placeOf = (k: number): Path => (typeof webhook === "string" ? ["notify", "webhook"] : ["notify", "webhook", k]);
  // Under a name that makes its value a secret.
  const names = given.map((_, k) => `webhook_${k + 1}_secret`);
  const read = sortVariables(Object.fromEntries(names.map((name, k) => [name, given[k] ?? ""])), (name) => placeOf(names.indexOf(name)), at, surroundings);
  const problems = [...read.problems];
  if (problems.length === 0) {
    for (const [k, name] of names.entries()) {
      const wrong = whyNoUrl(read.secret[name] ?? "");
      if (wrong !== null) problems.push(problemIn(at, placeOf(k), wrong));
    }
  }
  const words = typeof command === "string" ? splitCommand(command) : { ok: true as const, words: command ?? [] };
  if (!words.ok) problems.push(problemIn(at, ["notify", "command"], words.why, { hint: "give it as a list of words" }));
  return {
    spec: {
      on: notify.on ?? NOTICE_KINDS,
      webhooks: names.length,
      command: words.ok && words.words.length > 0 ? words.words : null,
      isBell: notify.bell ?? true,
    },
    urls: read.secret,
    problems,
  };
}

/** The words never hold the value. */
function whyNoUrl(text: string): string | null {
  const url = URL.parse(text.trim());
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return "expected a URL that begins with https:// or http://";
  return url.username !== "" || url.password !== "" ? "a user or password in a URL is not sent by everybody: take a URL that holds a token instead" : null;
}

/** As it may be shown: a reference as it was written. */
export const shownWebhook = (value: string): string => (/^env:\w+$/.test(value) || fileReference(value) !== null ? value : "$webhook");
