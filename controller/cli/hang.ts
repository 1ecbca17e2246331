/** `hang`: where every rank is now, who differs, and who waits for whom; asked of all hosts at once, without pausing anything. */

import { explainLook, type HangReport } from "../../cluster/hang/verdict.ts";
import { hangLines, movesOn, stackLines } from "../../cluster/view/hang-words.ts";
import type { TwoLooks } from "../../cluster/viewer.ts";
import type { Run } from "./commands.ts";
import { findController } from "./find-controller.ts";
import { findRun } from "./known-run.ts";
import { whereLed } from "./open-run.ts";

export const hang: Run = async (context, [wanted], options) => {
  const here = await findController(context, options);
  const { client, run } = await whereLed(context, options, here, await findRun(here, context, wanted));
  context.say(`looking twice at the ranks of ${run}`);
  const looks = (await client.ask({ ask: "hang", run })) as TwoLooks;
  const { attempt, second } = looks;
  const report = explainLook(second);
  if (context.json) {
    const { text, rank, host } = report;
    context.printJson({ run, attempt, moves: movesOn(looks), text, rank, host, groups: groupsJson(report), look: second });
    return 0;
  }
  for (const line of [...hangLines(looks, report), ...(context.verbose ? stackLines(second) : ["", "nexadist hang -v shows the stacks"])]) context.print(line);
  return 0;
};

const groupsJson = ({ groups }: HangReport): object[] =>
  groups.map(({ place, members, cpus }) => ({ ranks: members.map(({ rank }) => rank), hosts: [...new Set(members.map(({ host }) => host))], ...place, cpus }));
