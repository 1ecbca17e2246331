/** Who measures with whom at a time: the circle method. In a round every host is in one pair at most, over all rounds every pair comes once. */

export type Pair<T> = readonly [T, T];

/** N - 1 rounds of N / 2 pairs for an even number of hosts; for an odd one N rounds, in each of which one host rests. */
export function roundsOf<T>(hosts: readonly T[]): readonly (readonly Pair<T>[])[] {
  const seats: (T | null)[] = hosts.length % 2 === 0 ? [...hosts] : [...hosts, null];
  const [fixed, ...circle] = seats;
  if (fixed === undefined || hosts.length < 2) return [];
  return circle.map((_, turn) => {
    const turned = [fixed, ...circle.slice(turn), ...circle.slice(0, turn)];
    return turned.slice(0, turned.length / 2).flatMap((one, k) => {
      const other = turned[turned.length - 1 - k];
      return one === null || other === null || other === undefined ? [] : [[one, other] as const];
    });
  });
}
