/** What NCCL really does: its version, which way each pair of ranks goes, what it warns of, and where the hardware has a faster way. */

import { type Hardware, judgeNccl, type NcclFinding } from "../../cluster/nccl/judge.ts";
import type { NcclSummary } from "../../cluster/nccl/summary.ts";
import { NCCL_LEVELS, type NcclLevel } from "../../cluster/run/nccl-level.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import { plural } from "../format.ts";
import type { ActionId } from "../keys.ts";
import { type Line, line, type Span, span, textOf } from "../line.ts";
import type { Model, RunModel } from "../model.ts";
import type { NcclLog, NcclTold } from "../nccl-log.ts";
import { apart, ruled } from "../panes.ts";
import type { Screen, View, Wish } from "../screen.ts";
import { actWish } from "../wishes.ts";
import { hostMatrix, judgements, preflightOfNetwork, rankTable, warnings, ways } from "./nccl-sections.ts";
import { finish } from "./parts/finish.ts";
import { NO_RUN, nothing, sentence } from "./parts/words.ts";

/** The hosts themselves are not asked here: only what NCCL says of its hardware is judged. */
const NOT_ASKED: ReadonlyMap<string, Hardware> = new Map();

export function createNcclScreen(log: NcclLog): Screen {
  let from = 0;
  let count = 0;
  let page = 10;
  let first = "";

  const draw = ({ run }: Model, view: View): readonly Line[] => {
    if (run === null) return finish(NO_RUN, view);
    const told = log.told(run);
    const head = headOf(run, told, view);
    const lines = told.summary.ranks.length === 0 ? whyNone(run, told) : body(run, told.summary, view);
    page = Math.max(1, view.rows - 1);
    count = lines.length;
    from = Math.max(0, Math.min(from, count - page));
    const shown = lines.slice(from, from + page);
    first = shown[0] === undefined ? "" : textOf(shown[0]).trim();
    const more = count > page ? [span(` ${from + 1}-${Math.min(count, from + page)} of ${count} `, "dim")] : [];
    return finish([apart(head, more, view.columns), ...shown], view);
  };

  return {
    id: "nccl",
    title: "NCCL",
    actions: ["down", "open", "nccl-level", "diag"],
    draw,
    act: (action: ActionId, { run }: Model): Wish | null => {
      if (run === null) return null;
      const step = { up: -1, down: 1, "page-up": -page, "page-down": page, first: -count, last: count }[action as string];
      if (step !== undefined) {
        from = Math.max(0, Math.min(from + step, count - page));
        return { do: "nothing" };
      }
      switch (action) {
        case "open":
          return { do: "hand-over", argv: ["nexadist", "nccl", run.id], doing: "asking the hosts what they have", waits: true };
        case "nccl-level":
          return askLevel(run);
        case "copy":
          return { do: "copy", text: first };
        default:
          return null;
      }
    },
  };
}

function askLevel(run: RunModel): Wish {
  const levelOf = (text: string): NcclLevel | null | undefined => {
    const word = text.trim().toUpperCase();
    return word === "" ? null : NCCL_LEVELS.find((level) => level === word);
  };
  return {
    do: "type",
    label: `NCCL_DEBUG of the next attempt (${NCCL_LEVELS.join(", ")}; nothing: as the file says): `,
    initial: run.state.nccl?.next ?? "",
    check: (text) => (levelOf(text) === undefined ? `one of ${NCCL_LEVELS.join(", ")}` : null),
    next: (text) => {
      const level = levelOf(text) ?? null;
      return actWish(run, { do: "nccl-debug", level }, `NCCL_DEBUG ${level ?? "as the file says"} from the next attempt on?`);
    },
  };
}

const distinct = (words: readonly (string | null)[]): string => [...new Set(words.filter((word) => word !== null))].join(" and ");

function headOf({ state }: RunModel, { summary, isReading, problem }: NcclTold, { columns }: View): Line {
  const { ranks, channels, world } = summary;
  const version = distinct(ranks.map((rank) => rank.version));
  const network = distinct(ranks.map((rank) => rank.network));
  const words: Span[] = [
    span(ranks.length === 0 ? " NCCL" : ` NCCL ${version || "of unknown version"}`, "title"),
    span(ranks.length === 0 ? "" : `, ${plural(ranks.length, "rank")}`),
    span(network === "" ? "" : `, network ${network}`, /socket/i.test(network) ? "warn" : "good"),
    span(channels === null ? "" : `, ${channels} channels`),
    span(world === null || world === ranks.length ? "" : `, a group of ${world}`),
    span(`, attempt ${state.attempt}`, "dim"),
    span(levelWords(state), "accent"),
    span(isReading ? ", reading its log" : problem === "" ? "" : `, its stored log cannot be read: ${problem}`, problem === "" ? "dim" : "warn"),
  ];
  return finish([words], { columns: Math.max(1, columns - 18), rows: 1, isAscii: false })[0] ?? [];
}

function levelWords({ nccl }: RunState): string {
  if (nccl === undefined) return "";
  const now = nccl.now === null ? "" : `, NCCL_DEBUG=${nccl.now}`;
  return nccl.next === nccl.now ? now : `${now}, ${nccl.next ?? "as the file says"} from the next attempt on`;
}

function whyNone({ state }: RunModel, { isReading }: NcclTold): readonly Line[] {
  if (isReading) return nothing("Reading what NCCL wrote.");
  if (state.spec.hosts.every(({ gpus }) => gpus.kind === "none")) return nothing("These ranks run on CPUs: gloo connects them, not NCCL.");
  if (state.attempt === 0 || Object.keys(state.ranks).length === 0)
    return nothing("No rank has been started yet.", `The run is ${state.phase}; 1 shows what each host is doing.`);
  return nothing(
    "No rank has written a line of NCCL.",
    isOver(state)
      ? "It never came to it, or NCCL_DEBUG was not INFO."
      : "It has not come to it yet, or NCCL_DEBUG is not INFO: l sets it for the next attempt.",
  );
}

function body({ state }: RunModel, summary: NcclSummary, view: View): readonly Line[] {
  const { columns, isAscii } = view;
  const hosts = new Map(summary.ranks.map(({ rank, host }) => [rank, host]));
  const findings: readonly NcclFinding[] = judgeNccl(summary, NOT_ASKED);
  const rule = (words: string): Line => ruled([span(words, "title")], columns, isAscii);
  const warned = warnings(summary, state, view);
  const matrix = hostMatrix(summary, hosts, view);
  const { ring } = summary;
  return [
    ...judgements(findings, view),
    ...preflightOfNetwork(state, view),
    ...(warned.length === 0 ? [] : [rule("warnings"), ...warned]),
    rule("ways"),
    ...ways(summary, hosts, view),
    ...(ring === null ? [] : [line(` the first ring: ${ring.slice(0, 64).join(" ")}${ring.length > 64 ? " …" : ""}`, "dim")]),
    ...(matrix.length === 0 ? [] : [rule("hosts"), ...matrix]),
    ...sentence("D runs diag, which measures every way; enter asks the hosts whether their hardware has a faster one", columns, "dim"),
    rule("ranks"),
    ...rankTable(summary, view),
  ];
}
