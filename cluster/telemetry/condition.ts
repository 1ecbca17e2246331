/** Turns what is seen from moment to moment into few findings: raised when it lasts, over when its end lasts. Pure; time is an argument. */

/** What one look says. `isBad` null: neither, as between two thresholds. */
export type Reading = {
  readonly code: string;
  /** Of one code: which GPU, interface, disk. */
  readonly what: string;
  readonly isBad: boolean | null;
  readonly text: string;
  readonly host: string;
  readonly rank: number | null;
  readonly gpu: string | null;
};

export type RunFinding = Omit<Reading, "isBad" | "what"> & {
  /** Names it among all of a run. */
  readonly key: string;
  /** When it was first seen, by the clock of what saw it. */
  readonly since: number;
  /** When it was over; null: it is not. */
  readonly until: number | null;
};

/** How long it must be seen, and be gone. `isLasting`: what happened has happened. */
export type Rule = { readonly forMs: number; readonly clearMs: number; readonly isLasting?: true };

/** A host that was not heard of for so long may have been anything meanwhile. */
const GAP_MS = 60_000;
/** Each time it comes back its end must last twice as long before it is believed. */
const MOST_CLEAR_MS = 60 * 60_000;

type Condition = { at: number; badSince: number | null; goodSince: number | null; raised: RunFinding | null; times: number };

export type Conditions = {
  /** All readings of one source at one moment; returns what began or ended by them. */
  readonly look: (source: string, readings: readonly Reading[], at: number) => readonly RunFinding[];
};

/** `before`: what had begun and was not over when somebody else watched; it is not told again, only its end. The source of each is its host. */
export function watchConditions(rules: Readonly<Record<string, Rule>>, before: readonly RunFinding[] = []): Conditions {
  const known = new Map<string, Condition>(
    before.map((raised) => [`${raised.host} ${raised.key}`, { at: raised.since, badSince: null, goodSince: null, raised, times: 1 }]),
  );

  const judge = (source: string, reading: Reading, at: number): RunFinding | null => {
    const { isBad, what, ...told } = reading;
    const key = `${told.code} ${told.host}${what === "" ? "" : ` ${what}`}`;
    const id = `${source} ${key}`;
    const rule = rules[told.code] ?? { forMs: 0, clearMs: 0 };
    const it = known.get(id) ?? { at, badSince: null, goodSince: null, raised: null, times: 0 };
    known.set(id, it);
    if (at < it.at || at - it.at > GAP_MS) [it.badSince, it.goodSince] = [null, null];
    it.at = at;
    it.badSince = isBad === true ? (it.badSince ?? at) : null;
    it.goodSince = isBad === false ? (it.goodSince ?? at) : null;
    if (it.raised === null && it.badSince !== null && at - it.badSince >= rule.forMs) {
      it.raised = { ...told, key, since: it.badSince, until: null };
      it.times += 1;
      return it.raised;
    }
    const clearMs = Math.min(MOST_CLEAR_MS, rule.clearMs * 2 ** (it.times - 1));
    if (it.raised !== null && rule.isLasting !== true && it.goodSince !== null && at - it.goodSince >= clearMs) {
      const over = { ...it.raised, until: it.goodSince };
      it.raised = null;
      it.badSince = null;
      return over;
    }
    return null;
  };

  return {
    look: (source, readings, at) => readings.map((reading) => judge(source, reading, at)).filter((change) => change !== null),
  };
}
