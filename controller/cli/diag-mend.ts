/** `diag --fix`: what a check can mend by itself, since it is the user's own and can be undone; asked first, host by host. */

import type { Check, Result } from "../../cluster/diag/check.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { Diagnosis } from "../diag/run-diag.ts";
import { askKey } from "./ask.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { withHost } from "./reach-host.ts";
import { runScript } from "./remote-script.ts";

type Mendable = { readonly check: Check; readonly result: Result; readonly mend: NonNullable<Check["mend"]> };

export function mendable({ checks, results }: Diagnosis): readonly Mendable[] {
  const known = new Map(checks.map((check) => [check.id, check]));
  return results.flatMap((result) => {
    const check = known.get(result.id);
    const isBad = result.status === "warn" || result.status === "fail";
    return isBad && result.host !== null && check?.mend !== undefined ? [{ check, result, mend: check.mend }] : [];
  });
}

/** Gives how many were done. */
export async function mendAll(context: Context, options: Options, found: Diagnosis): Promise<number> {
  const all = mendable(found);
  if (all.length === 0) context.say("nothing of this can be mended from here: the fixes above are for you");
  let done = 0;
  for (const { check, result, mend } of all) {
    const host = found.spec.hosts.find(({ name }) => name === result.host);
    if (host === undefined) continue;
    const name = sanitiseWord(host.name);
    context.say(`${name}, ${check.id}: ${mend.what}\n  undo: ${mend.undo}`);
    if (!(await mayMend(context, `do it on ${name}? [y/N] `))) continue;
    let said = "";
    const keep = (data: Buffer): void => {
      said = (said + data.toString("utf8")).slice(-2000);
    };
    const { code } = await withHost(host, context, options, (transport) => runScript(transport, host, mend.script, { onOut: keep, onErr: keep }));
    if (code === 0) done += 1;
    context.say(code === 0 ? `${name}: done` : `${name}: not done (exit ${code}): ${sanitiseWord(said.trim())}`);
  }
  return done;
}

async function mayMend(context: Context, question: string): Promise<boolean> {
  if (context.yes) return true;
  if (context.isInteractive) return (await askKey(process.stdin, (text) => void process.stderr.write(text), question)) === "y";
  context.say("  not done: there is nobody to ask; --yes does it");
  return false;
}
