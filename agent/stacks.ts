/** Tells what the ranks of an attempt are doing: python/stacks.py looks, its word is passed on. */

import type { HostLook } from "../cluster/hang/look.ts";
import type { Agent } from "./agent-state.ts";
import { askPython } from "./ask-python.ts";
import { attemptDir, type Run } from "./run.ts";

const LIMIT_MS = 7000;

/** Of one attempt only one look at a time: whoever asks meanwhile gets the same. */
const looking = new Map<string, Promise<HostLook>>();

/** Never rejects: where nothing can be read it says why. */
export function stacks({ config }: Agent, run: Run, attempt: number): Promise<HostLook> {
  const dir = attemptDir(run, attempt);
  const under = looking.get(dir);
  if (under !== undefined) return under;
  const look = askPython<HostLook>(config, { program: "stacks.py", args: [dir], limitMs: LIMIT_MS }, (problem) => ({ ranks: [], ras: [], problem }));
  looking.set(dir, look);
  void look.finally(() => looking.delete(dir));
  return look;
}
