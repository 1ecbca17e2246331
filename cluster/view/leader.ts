/** Who leads a run, in words. */

import type { RunState } from "../run/state.ts";
import { minorityText } from "../run/takeover.ts";
import { sanitiseWord } from "../sanitise.ts";

type Controller = { readonly controller: string; readonly machine: string };

export const controllerWords = ({ controller, machine }: Controller): string => (machine === "" ? `controller ${controller}` : `the controller on ${machine}`);

const clockOf = (at: number): string => new Date(at).toISOString().slice(0, 19).replace("T", " ");

/** Empty while this controller leads it as it did from the beginning. */
export function leaderLines({ fenced, takeover, spec, ...state }: RunState): readonly string[] {
  if (fenced !== null) {
    return [
      `led by ${sanitiseWord(controllerWords(fenced))} (known since ${clockOf(fenced.at)} UTC); what follows is the last that this one knew`,
      `         nexadist takeover ${spec.run} -c FILE --force takes it back`,
    ];
  }
  if (takeover === null) return [];
  const from = `taken over from ${sanitiseWord(controllerWords(takeover))} at ${clockOf(takeover.at)} UTC`;
  return [takeover.isWon ? from : `${from}: ${minorityText({ fenced, takeover, spec, ...state })}; until then it is only watched`];
}
