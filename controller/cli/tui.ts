/** `tui`: the screen, of a run or of all of them. */

import { attach } from "./attach.ts";
import type { Run } from "./commands.ts";
import { findController } from "./find-controller.ts";
import { showScreen } from "./show-run.ts";
import { chooseUi } from "./ui.ts";

export const tui: Run = async (context, [wanted], options) => {
  const asked = { ...options, ui: "tui" };
  chooseUi(context, asked.ui);
  if (typeof wanted === "string") return attach(context, [wanted], asked);
  const find = () => findController(context, options);
  return showScreen(context, await find(), null, asked, find);
};
