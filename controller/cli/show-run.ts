/** Shows a run until it ends or the person leaves: on a screen where there is one for it, else as lines. The same words stay in the terminal afterwards, the same exit status. */

import { join } from "node:path";
import { EXIT } from "../../cluster/errors.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import { stateDir } from "../paths.ts";
import type { Client } from "./client.ts";
import type { Options } from "./command-spec.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { lastWords } from "./last-words.ts";
import { rejoin } from "./rejoin.ts";
import { createRunPrinter } from "./run-printer.ts";
import { createScreen } from "./screen.ts";
import { holdTty } from "./tty-marker.ts";
import { chooseUi, isAsciiOnly } from "./ui.ts";
import { type WatchOptions, watchRun, whoAsks } from "./watch-run.ts";

export async function showRun(context: Context, client: Client, run: string, options: Options, watch: WatchOptions): Promise<number> {
  const ui = chooseUi(context, options.ui);
  if (ui === "plain") return watchRun(context, client, run, watch);
  if (ui === "none") return watchRun({ ...context, quiet: true }, client, run, { ...watch, isSilent: true });
  return showScreen(context, client, run, options, watch.find ?? findOrStartDaemon, { leavesWhenWell: watch.stopsOnSignal, ended: watch.ended });
}

/** `run` null: the list of runs. */
export async function showScreen(
  context: Context,
  client: Client,
  run: string | null,
  options: Options,
  find: () => Promise<Client>,
  { leavesWhenWell = false, ended }: { readonly leavesWhenWell?: boolean; readonly ended?: WatchOptions["ended"] | undefined } = {},
): Promise<number> {
  const crashFile = join(stateDir(), "screen-crash.log");
  const release = holdTty();
  const { openTui } = await import("../../tui/main.ts");
  const end = await openTui({
    ...{ source: client, find: rejoin(client, run, find), run, crashFile, leavesWhenWell, by: whoAsks() },
    isReadonly: options.readonly === true,
    isAscii: isAsciiOnly(context.env, options.ascii),
    hasColour: context.hasColour,
    own: (args) => [process.execPath, process.argv[1] ?? "", ...args],
  });
  release();
  try {
    if (end.crash !== null) {
      context.say(`nexadist: the screen broke, the run did not (${crashFile} has why); nexadist attach ${end.run ?? ""} --ui=plain shows it as lines`);
      return EXIT.bug;
    }
    if (end.replaced !== null) throw end.replaced;
    if (end.state !== null && isOver(end.state)) await ended?.(end.state);
    return end.run === null ? EXIT.ok : await sayEnd(context, end.source as Client, end.run, end.state);
  } finally {
    end.source.close();
  }
}

async function sayEnd(context: Context, client: Client, run: string, state: RunState | null): Promise<number> {
  const screen = createScreen(process.stdout, process.stderr, false);
  const printer = createRunPrinter(context, screen, state === null ? null : { state, events: 0 });
  return printer.finish(run, true, state === null ? [] : await lastWords(client, state));
}
