/** A recording on the screen of a live run. Nothing is asked of any controller: it is its own source. */

import { join } from "node:path";
import { EXIT } from "../../cluster/errors.ts";
import type { Recording } from "../../cluster/recording/recording.ts";
import { stateDir } from "../paths.ts";
import type { Options } from "./command-spec.ts";
import type { Context } from "./context.ts";
import { holdTty } from "./tty-marker.ts";
import { isAsciiOnly } from "./ui.ts";
import { whoAsks } from "./watch-run.ts";

export async function playOnScreen(context: Context, recording: Recording, speed: number, options: Options): Promise<number> {
  const { run, cut } = recording.head;
  const crashFile = join(stateDir(), "screen-crash.log");
  const [{ createReplay }, { openTui }] = await Promise.all([import("../../tui/replay.ts"), import("../../tui/main.ts")]);
  const source = createReplay(recording, speed);
  const release = holdTty();
  const end = await openTui({
    ...{ source, run, crashFile, leavesWhenWell: false, by: whoAsks(), isReadonly: true },
    find: async () => source,
    isAscii: isAsciiOnly(context.env, options.ascii),
    hasColour: context.hasColour,
    own: (args) => [process.execPath, process.argv[1] ?? "", ...args],
  });
  release();
  source.close();
  if (end.crash !== null) {
    context.say(`nexadist: the screen broke (${crashFile} has why); nexadist replay FILE --ui=plain shows it as lines`);
    return EXIT.bug;
  }
  for (const what of cut) context.say(`the recording of ${run} is without ${what}`);
  return EXIT.ok;
}
