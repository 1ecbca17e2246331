/** The tellers of all runs of this controller. */

import { dirname } from "node:path";
import { RETRY } from "../../../cluster/notify/retry.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { isOver, type RunState } from "../../../cluster/run/state.ts";
import { runDir, stateDir } from "../../paths.ts";
import { conceal, secretsKept } from "../secrets.ts";
import { command, webhook } from "./deliver.ts";
import { openTeller, type Target, type Teller } from "./teller.ts";
import { forgetWebhooks, webhooksOf } from "./webhooks.ts";

export type Tellers = {
  /** null: the run's file names nobody. */
  readonly begin: (run: string, events: readonly RunEvent[], state: RunState, say: (text: string) => void) => Teller | null;
  /** Of a run that is over and that nobody drives: whoever was not told before this controller was started. */
  readonly catchUp: (run: string, events: readonly RunEvent[], state: RunState) => void;
  readonly isBusy: () => boolean;
  readonly close: () => void;
};

export function openTellers(): Tellers {
  const all = new Map<string, Teller>();
  const begin: Tellers["begin"] = (run, events, state, say) => {
    all.get(run)?.close(); // a run that is over may be taken up again, for hosts that owe a receipt
    const targets = targetsOf(run, state, say);
    if (targets.length === 0) return null;
    const secrets = secretsKept(run);
    const teller = openTeller({
      dir: runDir(run),
      targets,
      events,
      state,
      conceal: (text) => conceal(text, secrets()),
      say: (text) => {
        console.error(`${run}: ${text}`);
        say(text);
      },
      done: () => {
        if (all.get(run) === teller) all.delete(run);
        forgetWebhooks(run);
      },
    });
    all.set(run, teller);
    return teller;
  };
  return {
    begin,
    catchUp: (run, events, state) => {
      if (state.fenced !== null || !isOver(state)) return;
      if (Date.now() - (state.endedAt ?? 0) > RETRY.giveUpMs) return forgetWebhooks(run);
      begin(run, events, state, () => undefined)?.finish();
    },
    isBusy: () => [...all.values()].some((teller) => teller.isBusy()),
    close: () => {
      for (const teller of all.values()) teller.close();
    },
  };
}

function targetsOf(run: string, { spec, endedAt }: RunState, say: (text: string) => void): readonly Target[] {
  const { notify, file } = spec;
  if (notify === undefined) return [];
  const urls = webhooksOf(run);
  // They go when everybody knows; a takeover does not bring them.
  if (urls.length < notify.webhooks && endedAt === null) say(`this machine does not have the ${notify.webhooks} webhooks of notify: nobody is told by them`);
  return [
    ...urls.map((url, k): Target => ({ name: `webhook ${k + 1}`, deliver: webhook(url) })),
    ...(notify.command === null ? [] : [{ name: "command", deliver: command(notify.command, file === null ? stateDir() : dirname(file)) }]),
  ];
}
