/** How a run is shown here: on a screen of its own, as lines, or not at all. */

import { fail } from "../../cluster/errors.ts";
import type { Context } from "./context.ts";

export type Ui = "tui" | "plain" | "none";

/** Errors: FLAG_VALUE. */
export function chooseUi(context: Context, wish: unknown): Ui {
  const can = canShowScreen(context);
  if (wish === undefined || wish === "auto") return can === null ? "tui" : "plain";
  if (wish === "plain" || wish === "none") return wish;
  if (wish !== "tui") throw fail("USAGE", { what: `--ui ${String(wish)}: it is auto, tui, plain or none`, fix: `nexadist ${context.command} --ui=plain` });
  if (can !== null) throw fail("USAGE", { what: `--ui=tui: ${can}`, fix: `nexadist ${context.command} --ui=plain` });
  return "tui";
}

const LEAST = { columns: 60, rows: 16 } as const;
const isSet = (value: string | undefined): boolean => value !== undefined && value !== "" && value !== "false" && value !== "0";

/** null: it can; else why not. */
function canShowScreen({ env, json, quiet, isInteractive }: Context): string | null {
  const { isTTY, columns = 0, rows = 0 } = process.stdout;
  if (json) return "with --json there is none";
  if (quiet) return "with --quiet there is none";
  if (!isInteractive || isTTY !== true) return "this is no terminal, or nobody sits at it";
  if (env.TERM === "dumb" || (env.TERM ?? "") === "") return "this terminal cannot move its cursor (TERM=dumb)";
  if (isSet(env.NEXADIST_SCREEN_READER) || isSet(env.INK_SCREEN_READER)) return "a screen reader reads lines";
  if (columns < LEAST.columns || rows < LEAST.rows) return `this terminal has ${columns}x${rows}, ${LEAST.columns}x${LEAST.rows} is the least`;
  return null;
}

/** No character set is named, or another one than UTF-8. */
export function isAsciiOnly(env: Context["env"], wish: unknown): boolean {
  if (wish === true) return true;
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== "") ?? "";
  return !/utf-?8/i.test(locale);
}
