/** One event of the journal, whole: its cause and cure where it has one, else its words. */

import type { RunEvent } from "../../cluster/run/events.ts";
import type { Line } from "../line.ts";
import { formatTime } from "../log/times.ts";
import type { Told } from "../model.ts";
import type { Wish } from "../screen.ts";
import { type About, findingLines, findingWish, ofCause } from "./finding.ts";
import { finish } from "./parts/finish.ts";
import { labelled, sentence } from "./parts/words.ts";

export function eventWish(told: Told): Wish {
  const abouts = aboutsOf(told);
  const [only, ...others] = abouts;
  if (only !== undefined && others.length === 0) return findingWish(only);
  return { do: "overlay", title: told.event.type, lines: (model, view) => finish(eventLines(told, model.now, view.columns), { ...view, rows: 10_000 }) };
}

export function eventLines(told: Told, now: number, columns: number): readonly Line[] {
  const abouts = aboutsOf(told);
  if (abouts.length > 0) return abouts.flatMap((about, k): readonly Line[] => [...(k === 0 ? [] : [[], []]), ...findingLines(about, now, columns)]);
  const { event, lines } = told;
  return [
    ...lines.flatMap((text) => sentence(text, columns)),
    [],
    ...labelled("when", `${formatTime(event.at, "local", 0)} (${formatTime(event.at, "UTC", 0)})`, columns),
    ...labelled("journal", `event ${told.index}, ${event.type}`, columns, "dim"),
    ...factsOf(event).flatMap(([name, value]) => labelled(name, value, columns, "dim")),
  ];
}

const NOWHERE = { host: null, rank: null, code: null, evidence: [] } as const;

function aboutsOf({ event, lines }: Told): readonly About[] {
  const since = event.at;
  switch (event.type) {
    case "attempt-diagnosed":
      return [{ ...ofCause(event.cause, since), text: `attempt ${event.attempt} failed: ${event.cause.text}` }];
    case "finding": {
      const { text, code, host, rank, since: begun, until } = event.finding;
      return [{ text, code, host, rank, since: begun, until, evidence: [] }];
    }
    case "hang-found":
      return [{ ...NOWHERE, ...event.verdict, since, isBad: true, cures: ["h looks at every rank's stack now; nexadist hang -v prints them."] }];
    case "host-refused":
    case "host-failed":
      return [
        {
          ...NOWHERE,
          text: event.problem.message,
          code: null,
          host: event.host,
          since,
          isBad: true,
          cures: [event.problem.hint, `nexadist explain ${event.problem.code}`],
        },
      ];
    case "host-lost":
      return [
        {
          ...NOWHERE,
          text: lines[0] ?? event.why,
          host: event.host,
          since,
          isBad: true,
          cures: [`nexadist diag --host ${event.host} says whether the host, its SSH or the network is at fault.`],
        },
      ];
    case "preflight-done":
      return event.findings.map((one) => ({
        ...NOWHERE,
        text: `${one.title}: ${one.observed}`,
        host: one.hosts.length === 0 ? null : one.hosts.join(", "),
        since,
        isBad: one.isBlocking && one.status === "fail",
        cures: [one.fix, `nexadist explain ${one.id}`],
      }));
    default:
      return [];
  }
}

/** Plain values of it that its words may leave out. */
const factsOf = (event: RunEvent): readonly (readonly [string, string])[] =>
  Object.entries(event).flatMap(([name, value]) =>
    name !== "at" && name !== "type" && (typeof value === "string" || typeof value === "number") && value !== "" ? [[name, String(value)] as const] : [],
  );
