/** `replay`: a recording in the same screen as a run that is alive, or as plain lines where there is no terminal. Nothing is asked of any controller or host. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { fail } from "../../cluster/errors.ts";
import { readRecording } from "../../cluster/recording/read.ts";
import type { Recording } from "../../cluster/recording/recording.ts";
import type { Run } from "./commands.ts";
import { playPlainly } from "./replay-plain.ts";
import { playOnScreen } from "./replay-screen.ts";
import { chooseUi } from "./ui.ts";
import { whyNot } from "./why-not.ts";

/** Unpacked; a recording of ours is far below. */
const MOST_BYTES = 512 * 1024 * 1024;

export const replay: Run = async (context, [name], options) => {
  const wish = options.speed === undefined ? null : Number(options.speed);
  if (wish !== null && !(wish > 0 && wish <= 1000))
    throw fail("USAGE", { what: `--speed takes a number up to 1000, not ${String(options.speed)}`, fix: "nexadist replay FILE --speed 10" });
  const recording = openRecording(resolve(context.cwd, String(name)), String(name));
  const ui = chooseUi(context, options.ui);
  if (ui === "tui") return playOnScreen(context, recording, wish ?? 1, options);
  return playPlainly(ui === "none" ? { ...context, quiet: true } : context, recording, wish);
};

/** Errors: RECORDING. */
export function openRecording(path: string, name: string): Recording {
  const bad = (why: string, cause?: unknown): Error => fail("RECORDING", { file: name, why }, cause);
  let packed: Buffer;
  try {
    packed = readFileSync(path);
  } catch (error) {
    throw bad(whyNot(error), error);
  }
  if (packed.length < 2 || packed[0] !== 0x1f || packed[1] !== 0x8b) throw bad("it is no recording of nexadist");
  let text: string;
  try {
    text = gunzipSync(packed, { maxOutputLength: MOST_BYTES }).toString("utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw bad(
      code === "ERR_BUFFER_TOO_LARGE" ? "it is larger than any that this program makes" : code === "Z_BUF_ERROR" ? "it is cut off" : "it is damaged",
      error,
    );
  }
  const rows = text.split("\n");
  if (rows.at(-1) === "") rows.pop();
  return readRecording(name, rows);
}
