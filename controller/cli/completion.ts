/** `completion`: prints the script that a shell completes our commands with. */

import { fail } from "../../cluster/errors.ts";
import type { Run } from "./commands.ts";
import { SCRIPTS } from "./completion-scripts.ts";

export const completion: Run = async (context, [shell]) => {
  const script = SCRIPTS[String(shell)];
  if (script === undefined) throw fail("USAGE", { what: `there is no completion for ${String(shell)}`, fix: "nexadist completion bash   or zsh, or fish" });
  if (context.json) context.printJson({ shell, script });
  else process.stdout.write(script);
  return 0;
};
