/** One finding, whole: what was seen and where, why it matters, what proves it, what to do. */

import { findingOf } from "../../cluster/findings/catalogue.ts";
import { type Args, matchLine } from "../../cluster/findings/match.ts";
import { causeOf, ROLE, remedyOf } from "../../cluster/findings/words.ts";
import type { Cause } from "../../cluster/run/cause.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import type { Concern } from "../concerns.ts";
import { type Line, line } from "../line.ts";
import { formatTime } from "../log/times.ts";
import type { Wish } from "../screen.ts";
import { finish } from "./parts/finish.ts";
import { labelled, sentence } from "./parts/words.ts";

export type About = {
  readonly text: string;
  /** Of the catalogue; null: none names it. */
  readonly code: string | null;
  readonly host: string | null;
  readonly rank: number | null;
  readonly since: number;
  /** null: it is not over. Absent: it is no state that could end. */
  readonly until?: number | null;
  readonly evidence: readonly string[];
  /** Beside what the catalogue says. */
  readonly cures?: readonly string[];
  readonly isBad?: boolean;
};

export const ofConcern = ({ text, code, host, rank, since, evidence, severity }: Concern): About => ({
  ...{ text, code, host, rank, since, evidence },
  isBad: severity === "error",
});

export const ofCause = ({ text, code, host, rank, evidence, isFinal }: Cause, since: number): About => ({
  ...{ text, code, host, rank, since, evidence, isBad: true },
  ...(isFinal ? { cures: ["Trying again would end the same way: no other attempt follows before this is mended."] } : {}),
});

export function findingWish(about: About): Wish {
  const args = argsOf(about);
  return {
    do: "overlay",
    title: about.code ?? "what happened",
    lines: (model, view) => finish(findingLines(about, model.now, view.columns, args), { ...view, rows: 10_000 }),
  };
}

/** What the evidence itself says of names and numbers, for the cure. */
function argsOf({ code, text, evidence }: About): Args {
  for (const one of [text, ...evidence]) {
    const match = matchLine(one);
    if (match?.finding.code === code) return match.args;
  }
  return {};
}

export function findingLines(about: About, now: number, columns: number, args: Args = argsOf(about)): readonly Line[] {
  const { text, code, host, rank, since, until, evidence, cures = [], isBad = false } = about;
  const finding = code === null ? null : findingOf(code);
  const where = [host ?? "", rank === null ? "" : `rank ${rank}`].filter((part) => part !== "").join(", ");
  const when = `${formatTime(since, "local", 0)}, ${formatDuration(now - since)} ago`;
  const lasted = until === undefined ? when : until === null ? `since ${when}` : `${when}; over after ${formatDuration(until - since)}`;
  return [
    ...sentence(text, columns, isBad ? "bad" : "warn"),
    [],
    ...labelled("where", where === "" ? "the whole run" : where, columns),
    ...labelled("when", lasted, columns),
    ...(finding === null
      ? []
      : [
          ...labelled("what it is", finding.title, columns),
          ...labelled("weight", `${finding.severity}, ${ROLE[finding.role]}`, columns),
          [],
          ...labelled("why", causeOf(finding, args), columns),
          [],
          ...labelled("what to do", remedyOf(finding, args), columns, "accent"),
        ]),
    ...cures.flatMap((cure, k) => labelled(finding === null && k === 0 ? "what to do" : "", cure, columns, "accent")),
    ...(evidence.length === 0 ? [] : [[], line(" What shows it:", "title"), ...evidence.flatMap((one) => sentence(one, columns, "plain", 3))]),
    ...(code === null ? [] : [[], line(` nexadist explain ${code}`, "dim")]),
  ];
}
