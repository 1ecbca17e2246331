/** `job.step_pattern`: a regular expression that tells a step, checked before a run depends on it. */

import * as z from "zod";

const GROUPS = ["step", "total", "epoch", "loss", "step_time", "tokens_per_second", "samples_per_second"];
/** A repeated group that repeats inside, such as (a+)*, takes for ever on a line that almost fits. */
const REPEATS_TWICE = /\([^()]*[+*}][^()]*\)[+*{]/;

export const stepPattern = z
  .string({ error: "expected a regular expression" })
  .max(500, "longer than 500 characters")
  .superRefine((text, c) => {
    const say = (message: string): void => void c.addIssue({ code: "custom", message });
    try {
      new RegExp(text);
    } catch (error) {
      return say(`no regular expression: ${error instanceof Error ? error.message.replace(/^Invalid regular expression: /, "") : String(error)}`);
    }
    const names = [...text.matchAll(/\(\?<(\w+)>/g)].map(([, name = ""]) => name);
    const unknown = names.find((name) => !GROUPS.includes(name));
    if (unknown !== undefined) say(`no group is called ${unknown}: ${GROUPS.join(", ")}`);
    else if (!names.includes("step") && !names.includes("loss")) say("it must have the group (?<step>…) or (?<loss>…)");
    else if (REPEATS_TWICE.test(text)) say("a repeated group that repeats inside may take for ever: write it without the inner + or *");
  });
