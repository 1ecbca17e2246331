/** All keys, as data: the footer, the help, docs/tui.md and the handling are made from this table. A key means one thing in one place. */

import type { ScreenId } from "./screen.ts";

/** A chord as Ink tells it: a character, or a name; ctrl- before it. */
export type Key = {
  readonly chords: readonly string[];
  readonly help: string;
  readonly short: string /** absent: everywhere */;
  readonly on?: readonly ScreenId[];
  readonly isActing?: true;
  /** Only of a recording that plays. */
  readonly isReplay?: true;
};

export const KEYS = {
  up: { chords: ["k", "up"], short: "up", help: "one row up" },
  down: { chords: ["j", "down"], short: "down", help: "one row down" },
  "page-up": { chords: ["pageup", "ctrl-u"], short: "page up", help: "a page up" },
  "page-down": { chords: ["pagedown", "ctrl-d"], short: "page down", help: "a page down" },
  first: { chords: ["g", "home"], short: "first", help: "to the first row" },
  last: { chords: ["G", "end"], short: "last", help: "to the last row" },
  left: { chords: ["left"], short: "left", help: "to the left" },
  right: { chords: ["right"], short: "right", help: "to the right" },
  open: { chords: ["enter"], short: "open", help: "open what is chosen" },
  back: { chords: ["esc"], short: "back", help: "close, or go back" },
  pane: { chords: ["tab"], short: "pane", help: "the next pane" },
  filter: { chords: ["/"], short: "filter", help: "filter by a regular expression; ! before it keeps the others; host: rank: level: narrow it" },
  next: { chords: ["n"], short: "next", help: "the next match, or the next error" },
  previous: { chords: ["N"], short: "previous", help: "the match before" },
  follow: { chords: ["f"], short: "follow", help: "follow what comes", on: ["logs", "events", "overview"] },
  wrap: { chords: ["w"], short: "wrap", help: "wrap long lines", on: ["logs"] },
  time: { chords: ["t"], short: "time", help: "times: none, local, UTC, since the start", on: ["logs", "events"] },
  level: { chords: ["v"], short: "level", help: "least level: all, info, warning, error", on: ["logs"] },
  attempt: { chords: ["p"], short: "attempt", help: "the attempt before", on: ["logs", "ranks"] },
  error: { chords: ["e"], short: "first error", help: "to the first error", on: ["logs"] },
  stream: { chords: ["O"], short: "stream", help: "streams: all, stdout, stderr, NCCL, launcher", on: ["logs"] },
  pager: { chords: ["o"], short: "pager", help: "open in $PAGER", on: ["logs"] },
  mark: { chords: ["space"], short: "mark", help: "mark", on: ["ranks", "runs"] },
  sort: { chords: ["S"], short: "sort", help: "sort by the next column", on: ["gpus", "ranks", "runs", "overview"] },
  metric: { chords: ["m"], short: "metric", help: "the next metric", on: ["gpus"] },
  copy: { chords: ["y"], short: "copy", help: "copy the row to the terminal's clipboard" },
  hang: { chords: ["h"], short: "stacks", help: "look at every rank's stack: who stands where, who waits for whom" },
  diag: { chords: ["D"], short: "diag", help: "run nexadist diag on the hosts" },
  compare: { chords: ["="], short: "compare", help: "compare the configuration of the two marked runs", on: ["runs"] },
  restart: { chords: ["r"], short: "restart", help: "end this attempt and start another", isActing: true },
  stop: { chords: ["s"], short: "stop", help: "stop the run; ranks may save", isActing: true },
  kill: { chords: ["K"], short: "kill", help: "end the run now; asks for its id", isActing: true },
  exclude: { chords: ["E"], short: "exclude", help: "go on without this host, on a spare where there is one", isActing: true, on: ["overview", "gpus"] },
  spare: { chords: ["P"], short: "spare", help: "take a spare in place of this host", isActing: true, on: ["overview"] },
  "nccl-level": { chords: ["l"], short: "NCCL level", help: "NCCL's log level for the next attempt", isActing: true, on: ["nccl"] },
  shell: { chords: ["x"], short: "shell", help: "a shell on this host", isActing: true, on: ["overview", "gpus", "ranks"] },
  palette: { chords: [":"], short: "cmd", help: "type a command" },
  help: { chords: ["?"], short: "help", help: "this help" },
  detach: { chords: ["d"], short: "detach", help: "leave; the run goes on" },
  leave: { chords: ["q", "ctrl-c"], short: "leave", help: "leave, or stop the run" },
  redraw: { chords: ["ctrl-l"], short: "redraw", help: "draw everything anew" },
  suspend: { chords: ["ctrl-z"], short: "suspend", help: "back to the shell; fg comes back" },
  overview: { chords: ["1"], short: "Overview", help: "hosts, GPUs, progress, findings, the last lines" },
  logs: { chords: ["2"], short: "Logs", help: "lines of all ranks" },
  gpus: { chords: ["3"], short: "GPUs", help: "every GPU" },
  ranks: { chords: ["4"], short: "Ranks", help: "every rank" },
  nccl: { chords: ["5"], short: "NCCL", help: "transports and warnings" },
  events: { chords: ["6"], short: "Events", help: "what happened, and why" },
  runs: { chords: ["7"], short: "Runs", help: "history and queue" },
  slower: { chords: [","], short: "slower", help: "slower, in the end it stands", isReplay: true },
  faster: { chords: ["."], short: "faster", help: "faster", isReplay: true },
  "step-back": { chords: ["<"], short: "back", help: "10 s back; the left arrow too, where it has no other use", isReplay: true },
  "step-on": { chords: [">"], short: "on", help: "10 s on; the right arrow too", isReplay: true },
  crash: { chords: ["c"], short: "crash", help: "to just before the first thing that went wrong", isReplay: true },
  "next-screen": { chords: ["]"], short: "next screen", help: "the screen to the right" },
  "previous-screen": { chords: ["["], short: "screen before", help: "the screen to the left" },
} as const satisfies Readonly<Record<string, Key>>;

export type ActionId = keyof typeof KEYS;
