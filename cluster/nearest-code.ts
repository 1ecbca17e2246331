/** The code that a person most likely meant: a typing error first, then the one that shares most of its words. Pure. */

import { nearest } from "./config/nearest.ts";

const wordsOf = (code: string): readonly string[] => code.toLowerCase().split(/[^a-z0-9]+/);

export function nearestCode(name: string, codes: readonly string[]): string | null {
  const wanted = new Set(wordsOf(name));
  let best: string | null = null;
  let most = 0;
  for (const code of codes) {
    const words = new Set(wordsOf(code));
    const shared = [...wanted].filter((word) => words.has(word)).length;
    const likeness = shared / (wanted.size + words.size - shared);
    if (likeness > most) [best, most] = [code, likeness];
  }
  return most >= 0.5 ? best : nearest(name, codes);
}
