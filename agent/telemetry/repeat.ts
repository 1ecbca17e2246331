/** A look that is taken again and again. One that fails is told once and taken again: a source must not fall silent for the rest of the run. */

import { setTimeout as delay } from "node:timers/promises";

/** `look` gives the pause until the next one in ms; null: there is nothing to look at here. */
export function repeat(look: () => Promise<number | null>, onFailureMs: number, signal: AbortSignal, log: (text: string) => void): void {
  let said = "";
  const once = async (): Promise<number | null> => {
    try {
      return await look();
    } catch (error) {
      const isNew = String(error) !== said;
      said = String(error);
      if (isNew && !signal.aborted) log(`bug: ${error instanceof Error ? error.stack : said}`);
      return onFailureMs;
    }
  };
  const live = async (): Promise<void> => {
    for (let ms = await once(); ms !== null && !signal.aborted; ms = await once()) await delay(ms, undefined, { signal });
  };
  live().catch(() => undefined); // the pause was cut short: closed
}
