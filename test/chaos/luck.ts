/** Randomness from a seed: the same seed chooses the same victims in the same order. */

export type Luck = { readonly below: (n: number) => number; readonly pick: <T>(from: readonly T[]) => T; readonly shuffle: <T>(all: readonly T[]) => T[] };

/** mulberry32: small, and good enough to choose victims. */
export function luckOf(seed: number): Luck {
  let a = seed >>> 0;
  const next = (): number => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(from: readonly T[]): T => {
    if (from.length === 0) throw new Error("nothing to choose from");
    return from[below(from.length)] as T;
  };
  const shuffle = <T>(all: readonly T[]): T[] => {
    const left = [...all];
    return all.map(() => left.splice(below(left.length), 1)[0] as T);
  };
  return { below, pick, shuffle };
}
