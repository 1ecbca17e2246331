/** One picture of everything: header, tabs, the screen or what stands before it, the footer. Never larger than the terminal. Pure. */

import { isOver } from "../cluster/run/state.ts";
import { sanitiseWord } from "../cluster/sanitise.ts";
import { choiceLine, footerLine } from "./footer.ts";
import { headerLine, tabsLine } from "./header.ts";
import { fitLine, type Line, type Span, span } from "./line.ts";
import type { Modal } from "./modal.ts";
import type { Model } from "./model.ts";
import { fill, ruled, wrapped } from "./panes.ts";
import type { Screen, View } from "./screen.ts";

export const LEAST = { columns: 60, rows: 16 } as const;
/** Rows that the shell itself takes. */
const OWN_ROWS = 5;

export type Size = { readonly columns: number; readonly rows: number };
export type Message = { readonly text: string; readonly isBad: boolean };
export type Shown = {
  readonly screens: readonly Screen[];
  readonly screen: Screen;
  readonly modal: Modal | null;
  readonly message: Message | null;
};

export const areaOf = ({ columns, rows }: Size, isAscii: boolean): View => ({ columns, rows: Math.max(0, rows - OWN_ROWS), isAscii });
/** Of an overlay: its title takes a row. */
export const overlayArea = (area: View): View => ({ ...area, rows: area.rows - 1 });

export function frameOf(model: Model, shown: Shown, size: Size, isAscii: boolean): readonly Line[] {
  const { columns, rows } = size;
  if (columns < LEAST.columns || rows < LEAST.rows) {
    const text = `nexadist: ${columns}x${rows} is too small, ${LEAST.columns}x${LEAST.rows} is the least; q leaves`;
    return fill(
      wrapped(text, columns).map((each): Line => [span(each)]),
      rows,
    ).map((line) => fitLine(line, columns));
  }
  const area = areaOf(size, isAscii);
  const { modal, screen, screens, message } = shown;
  const body = modal === null || modal.kind === "type" ? screen.draw(model, area) : drawModal(modal, model, area, screen);
  const lines = [
    headerLine(model, columns),
    tabsLine(model, screens, screen.id, columns),
    ruled([], columns, isAscii),
    ...fill(body, area.rows),
    message === null ? ruled(hintOf(model), columns, isAscii) : messageLine(message),
    bottomLine(model, shown, columns),
  ];
  return lines.map((line) => fitLine(line, columns));
}

const messageLine = ({ text, isBad }: Message): Line => [span(isBad ? " ! " : "   ", "bad"), span(sanitiseWord(text), isBad ? "bad" : "accent")];

/** What somebody who comes back to an ended run wonders. */
const hintOf = ({ run }: Model): readonly Span[] =>
  run !== null && isOver(run.state) ? [span("it is over; q leaves, and its summary stays in the terminal", "dim")] : [];

function bottomLine(model: Model, { screen, modal }: Shown, columns: number): Line {
  switch (modal?.kind) {
    case undefined:
      return footerLine(screen.actions, !model.isReadonly && model.run !== null && !isOver(model.run.state), columns);
    case "type": {
      const aside =
        modal.problem !== null
          ? [span(`   ${sanitiseWord(modal.problem)}`, "bad")]
          : modal.choices.length === 0
            ? []
            : [span(`   ${modal.choices.join("  ")}`, "dim")];
      return [span(` ${modal.label}`, "title"), span(modal.text), span(" ", "chosen"), ...aside];
    }
    case "overlay":
      return choiceLine([
        ["esc", "back"],
        ["j/k", "scroll"],
        ["space", "page"],
      ]);
    case "confirm":
      if (modal.word === null)
        return choiceLine([
          ["y", "yes"],
          ["n", "no"],
        ]);
      return [span(` type ${sanitiseWord(modal.word)} to go on: `, "title"), span(modal.typed), span(" ", "chosen"), span("   esc: back", "dim")];
    case "leave":
      return choiceLine([
        ["d", "detach"],
        ...(model.isReadonly
          ? []
          : ([
              ["s", "stop"],
              ["k", "kill now"],
            ] as const)),
        ["esc", "back"],
      ]);
  }
}

function drawModal(modal: Exclude<Modal, { kind: "type" }>, model: Model, area: View, screen: Screen): readonly Line[] {
  if (modal.kind === "overlay") {
    const inner = overlayArea(area);
    const lines = modal.lines(model, inner);
    const from = Math.max(0, Math.min(modal.from, lines.length - inner.rows));
    const place = lines.length > inner.rows ? [span(`  ${from + 1}-${Math.min(lines.length, from + inner.rows)} of ${lines.length}`, "dim")] : [];
    return [ruled([span(modal.title, "title"), ...place], area.columns, area.isAscii), ...lines.slice(from, from + inner.rows)];
  }
  const { title, lines } = modal.kind === "confirm" ? modal : leaveWords(model);
  const words = lines.flatMap((each) =>
    each.length === 1 ? wrapped(each[0]?.text ?? "", area.columns - 4).map((text): Line => [span(`   ${text}`, each[0]?.tone)]) : [each],
  );
  const question = [ruled([span(title, "title")], area.columns, area.isAscii), [], ...words, []];
  return [...fill(screen.draw(model, { ...area, rows: area.rows - question.length }), area.rows - question.length), ...question];
}

function leaveWords({ run, isReadonly }: Model): { readonly title: string; readonly lines: readonly Line[] } {
  const others: Line[] = isReadonly
    ? []
    : [
        [span("   [s]", "title"), span(" stop: ranks may save, then it ends")],
        [span("   [k]", "title"), span(" kill now: what is not saved is lost")],
      ];
  return {
    title: `leave ${run?.id ?? ""}?`,
    lines: [[span("   [d]", "title"), span(" detach: the run goes on (default)")], ...others, [span("   [esc]", "title"), span(" back")]],
  };
}
