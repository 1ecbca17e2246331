/** Who leads a run, in words. */

import { fail, type NexaError } from "../errors.ts";
import type { RunState } from "../run/state.ts";
import { minorityText } from "../run/takeover.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { RunSpec } from "../spec.ts";

type Controller = { readonly controller: string; readonly machine: string };

export const controllerWords = ({ controller, machine }: Controller): string => (machine === "" ? `controller ${controller}` : `the controller on ${machine}`);

export const clockOf = (at: number): string => new Date(at).toISOString().slice(0, 19).replace("T", " ");

/** Empty while this controller leads it as it did from the beginning. */
export function leaderLines({ fenced, takeover, spec, ...state }: RunState): readonly string[] {
  if (fenced !== null) {
    const { run, seat } = spec;
    const { end } = fenced;
    const force = `nexadist takeover ${run} -c ${sanitiseWord(spec.file ?? "FILE")} --force`;
    return [
      `led by ${sanitiseWord(controllerWords(fenced))} (known since ${clockOf(fenced.at)} UTC); what follows is the last that this one knew${end === undefined ? "" : " before its end"}`,
      seat === null
        ? `         ${force} takes it back`
        : `         nexadist attach ${run} asks its seat, ${sanitiseWord(seat)}; only if that is gone for good: ${force}`,
    ];
  }
  if (takeover === null) return [];
  const from = `taken over from ${sanitiseWord(controllerWords(takeover))} at ${clockOf(takeover.at)} UTC`;
  return [takeover.isWon ? from : `${from}: ${minorityText({ fenced, takeover, spec, ...state })}; until then it is only watched`];
}

export const ledElsewhere = ({ run, file }: RunSpec, fenced: NonNullable<RunState["fenced"]>): NexaError =>
  fail("LED_ELSEWHERE", { run, who: controllerWords(fenced), since: `${clockOf(fenced.at)} UTC`, file: file ?? "FILE" });
