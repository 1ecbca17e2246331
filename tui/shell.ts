/** What happens with keys and wishes: which screen is shown, what stands before it, what is asked of the world. It draws nothing itself and knows no terminal. */

import { NexaError } from "../cluster/errors.ts";
import { isOver } from "../cluster/run/state.ts";
import { areaOf, frameOf, type Message, overlayArea, type Size } from "./frame.ts";
import { helpLines } from "./help.ts";
import { actionOf, keyOf, typedOf } from "./keymap.ts";
import { type ActionId, KEYS } from "./keys.ts";
import type { Line } from "./line.ts";
import { type Answered, answerConfirming, answerOverlay, answerTyping, type Modal } from "./modal.ts";
import type { Model } from "./model.ts";
import { complete, parseCommand } from "./palette.ts";
import { isMove, moveReplay, seekOf, whereItIs } from "./replay-moves.ts";
import type { Screen, ScreenId, Wish } from "./screen.ts";
import { hangWish } from "./screens/hang-wish.ts";
import type { Ask, ReplayControl } from "./source.ts";
import { actWish, killWish, stopWish } from "./wishes.ts";

/** What the shell cannot do itself. */
export type World = {
  readonly ask: (ask: Ask) => Promise<unknown>;
  readonly handOver: (argv: readonly string[], input: string | undefined, waits: boolean) => Promise<string | null>;
  readonly copy: (text: string) => void;
  readonly suspend: () => void;
  readonly redraw: () => void;
  readonly watch: (run: string) => void;
  readonly exit: () => void;
  /** argv of a command of our own. */
  readonly own: (args: readonly string[]) => readonly string[];
};

export type ShellOptions = {
  readonly model: () => Model;
  readonly size: () => Size;
  readonly isAscii: boolean;
  readonly screens: readonly Screen[];
  readonly first: ScreenId;
  readonly world: World;
  /** Who asks, for the record. */
  readonly by: string;
  /** It is a recording that plays. */
  readonly replay?: ReplayControl;
};

export type Shell = {
  /** Several where they came at once: then none of them acts. */
  readonly press: (chords: readonly string[]) => void;
  readonly paste: (text: string) => void;
  readonly say: (text: string, isBad: boolean) => void;
  readonly draw: () => readonly Line[];
  readonly subscribe: (listener: () => void) => () => void;
  /** Grows with each change that is not the model's. */
  readonly version: () => number;
  /** The first screen is shown and nothing before it: nobody is reading anything. */
  readonly isAtRest: () => boolean;
};

/** A message stands so long; a bad one longer. */
const SAID_MS = 5000;
const BAD_MS = 12_000;
/** What pasted or blindly typed text must not set off. */
const NEVER_AT_ONCE: ReadonlySet<ActionId> = new Set(["leave", "detach", "suspend"]);
const ONLY_LOOKS: ReadonlySet<Wish["do"]> = new Set(["nothing", "open", "overlay", "type", "copy", "say"]);

export function createShell({ model, size, isAscii, screens, first, world, by, replay }: ShellOptions): Shell {
  const listeners = new Set<() => void>();
  let screen = screens.find(({ id }) => id === first) ?? screens[0];
  let modal: Modal | null = null;
  let message: (Message & { readonly until: number }) | null = null;

  let version = 0;
  const change = (): void => {
    version += 1;
    for (const listener of listeners) listener();
  };
  const area = () => areaOf(size(), isAscii);
  const say = (text: string, isBad: boolean): void => {
    message = text === "" ? null : { text, isBad, until: model().now + (isBad ? BAD_MS : SAID_MS) };
    change();
  };
  const open = (id: ScreenId, what: { readonly host?: string; readonly rank?: number; readonly word?: string }): void => {
    const found = screens.find((each) => each.id === id);
    if (found === undefined) return;
    screen = found;
    modal = null;
    if (what.host !== undefined || what.rank !== undefined || what.word !== undefined) found.show?.(what, model());
    change();
  };

  const failed = (error: unknown): void => {
    const hint = error instanceof NexaError && error.hint !== "" ? `; ${error.hint}` : "";
    say(`${error instanceof Error ? error.message : String(error)}${hint}`, true);
  };
  const ask = (wanted: Ask, doing: string, next: (answer: unknown) => void): void => {
    say(`${doing} …`, false);
    world.ask("by" in wanted && wanted.by === "" ? { ...wanted, by } : wanted).then(next, failed);
  };

  const grant = (wish: Wish): void => {
    switch (wish.do) {
      case "nothing":
        break;
      case "open":
        return open(wish.screen, wish);
      case "overlay":
        modal = { kind: "overlay", title: wish.title, lines: wish.lines, from: 0 };
        break;
      case "type":
        modal = { kind: "type", label: wish.label, text: wish.initial, problem: null, check: wish.check, next: wish.next, choices: [] };
        break;
      case "confirm":
        modal = { kind: "confirm", title: wish.title, lines: wish.lines, word: wish.word, typed: "", next: wish.next };
        break;
      case "ask":
        return ask(wish.ask, wish.doing, () => say(wish.done, false));
      case "ask-and-show":
        return ask(wish.ask, wish.doing, (answer) => {
          say("", false);
          grant(wish.show(answer));
        });
      case "hand-over":
        world
          .handOver(wish.argv[0] === "nexadist" ? world.own(wish.argv.slice(1)) : wish.argv, wish.input, wish.waits === true)
          .then((problem) => problem !== null && say(problem, true), failed);
        break;
      case "copy":
        world.copy(wish.text);
        return say("copied", false);
      case "say":
        return say(wish.text, wish.isBad === true);
      case "watch":
        world.watch(wish.run);
        return open("overview", {});
      case "leave":
        return leave();
    }
    change();
  };

  const leave = (): void => {
    const { run, link } = model();
    if (run === null || isOver(run.state) || link.state === "replay" || run.state.fenced !== null) return world.exit();
    modal = { kind: "leave" };
    change();
  };

  const answerLeave = (chord: string): Answered => {
    const { run, isReadonly } = model();
    if (chord === "esc" || chord === "b") return { done: { do: "nothing" } };
    if (["d", "D", "enter", "q", "ctrl-c", "ctrl-d"].includes(chord)) {
      world.exit();
      return { done: { do: "nothing" } };
    }
    if (run === null || isReadonly) return { next: { kind: "leave" } };
    // The dialog has said what each does: it is not asked twice.
    const wish = chord === "s" || chord === "S" ? stopWish(run) : chord === "k" || chord === "K" ? killWish(run) : null;
    return wish === null ? { next: { kind: "leave" } } : { done: wish.do === "confirm" ? wish.next() : wish };
  };

  const palette = (): Wish => {
    const seek = (text: string) => (replay === undefined ? null : seekOf(text, replay));
    const then = (text: string): Wish => {
      const found = seek(text);
      if (found !== null && "at" in found) return seekTo(found.at);
      const command = parseCommand(text, model());
      if (typeof command === "string") return { do: "say", text: command, isBad: true };
      if (command.do === "action") return actOn(command.action);
      return command.do === "watch" ? { do: "watch", run: command.run } : command;
    };
    return { do: "type", label: ":", initial: "", check: (text) => { const found = seek(text); if (found !== null) return "problem" in found ? found.problem : null; const parsed = parseCommand(text, model()); return typeof parsed === "string" ? parsed : null; }, next: then }; // biome-ignore format: short
  };

  /** What an action means where the screen has no meaning of its own for it. */
  const common = (action: ActionId): Wish => {
    const { run } = model();
    if ((Object.keys(KEYS) as ActionId[]).includes(action) && screens.some(({ id }) => id === action)) return { do: "open", screen: action as ScreenId };
    const k = screens.findIndex(({ id }) => id === screen?.id);
    if (isMove(action)) return replay === undefined ? { do: "nothing" } : { do: "say", text: moveReplay(replay, action) };
    switch (action) {
      case "left":
      case "right":
        return replay === undefined ? { do: "nothing" } : { do: "say", text: moveReplay(replay, action === "left" ? "step-back" : "step-on") };
      case "next-screen":
      case "previous-screen":
        return { do: "open", screen: screens[(k + (action === "next-screen" ? 1 : screens.length - 1)) % screens.length]?.id ?? "overview" };
      case "help":
        return screen === undefined ? { do: "nothing" } : helpWish(screen);
      case "palette":
        return palette();
      case "leave":
        return { do: "leave" };
      case "stop":
        return run === null ? noRun() : stopWish(run);
      case "kill":
        return run === null ? noRun() : killWish(run);
      case "restart":
        return run === null ? noRun() : actWish(run, { do: "restart", attempt: run.state.attempt }, `restart ${run.id}?`);
      case "hang":
        return run === null ? noRun() : hangWish(run);
      case "diag":
        return diagWish();
      default:
        return { do: "nothing" };
    }
  };

  const seekTo = (at: number): Wish => {
    replay?.seek(at);
    return { do: "say", text: replay === undefined ? "" : whereItIs(replay) };
  };
  const noRun = (): Wish => ({ do: "say", text: "no run is watched here; enter opens one", isBad: true });
  const helpWish = (of: Screen): Wish => ({ do: "overlay", title: `help: ${of.title}`, lines: (now) => helpLines(of, now.isReadonly, replay !== undefined) });
  const diagWish = (): Wish => {
    const file = model().run?.state.spec.file ?? null;
    return file === null
      ? { do: "say", text: "the run names no cluster file to look at", isBad: true }
      : { do: "hand-over", argv: ["nexadist", "diag", file], doing: "nexadist diag", waits: true };
  };

  const actOn = (action: ActionId): Wish => {
    const now = model();
    if (now.isReadonly && keyOf(action).isActing === true) return { do: "say", text: `not with --readonly: ${keyOf(action).short}`, isBad: true };
    if (action === "detach") {
      world.exit();
      return { do: "nothing" };
    }
    if (action === "suspend" || action === "redraw") {
      world[action]();
      return { do: "nothing" };
    }
    return screen?.act(action, now, area()) ?? common(action);
  };

  const press = (chord: string, isOne: boolean): void => {
    if (message?.isBad === true && modal === null) message = null;
    if (modal !== null) {
      const now = model();
      const typed = typedOf(chord);
      const before: Modal = modal;
      const answered =
        before.kind === "overlay"
          ? answerOverlay(before, chord, now, overlayArea(area()))
          : before.kind === "type"
            ? isOne || chord !== "enter"
              ? answerTyping(before, chord, typed)
              : { next: before }
            : !isOne
              ? { next: before }
              : before.kind === "confirm"
                ? answerConfirming(before, chord, typed)
                : answerLeave(chord);
      if ("next" in answered) {
        modal = answered.next;
        return change();
      }
      modal = null;
      return grant(answered.done);
    }
    const action = screen === undefined ? null : actionOf(chord, screen.id);
    if (action === null) return;
    if (!isOne && (NEVER_AT_ONCE.has(action) || keyOf(action).isActing === true)) return;
    const wish = actOn(action);
    if (!isOne && !ONLY_LOOKS.has(wish.do)) return;
    if (action === "palette" && wish.do === "type")
      modal = { kind: "type", label: wish.label, text: "", problem: null, check: wish.check, next: wish.next, choices: [], complete: (text) => complete(text, model()) }; // biome-ignore format: short
    else return grant(wish);
    change();
  };

  return {
    press: (chords) => {
      for (const chord of chords) press(chord, chords.length === 1);
    },
    paste: (text) => {
      // Only into a line that is being typed, and never as its end.
      if (modal?.kind !== "type") return;
      modal = { ...modal, text: modal.text + text.replace(/[\r\n]+/g, " "), problem: null };
      change();
    },
    say,
    draw: () => {
      if (message !== null && model().now > message.until) message = null;
      return screen === undefined ? [] : frameOf(model(), { screens, screen, modal, message }, size(), isAscii);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    version: () => version,
    isAtRest: () => modal === null && screen?.id === first,
  };
}
