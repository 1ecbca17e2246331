/** A measured figure: said to the person on stderr, handed on as one JSON line on stdout. */

export type Figure = {
  readonly figure: string;
  readonly goal: string;
  readonly measured: string;
  /** null: the machine was too busy with other things for a word. */
  readonly isMet: boolean | null;
  readonly command: string;
};

export const log = (text: string): void => void process.stderr.write(`${text}\n`);

export const verdictOf = ({ isMet }: Pick<Figure, "isMet">): string => (isMet === null ? "no verdict" : isMet ? "met" : "missed");

export function report(figure: Figure): void {
  log(`${verdictOf(figure)} ${figure.figure}: ${figure.measured} (goal ${figure.goal})`);
  process.stdout.write(`${JSON.stringify(figure)}\n`);
}

/** The value below which `share` of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** "1.05 (0.98..1.11)": the median, and how far the values lie apart. */
export const spread = (values: readonly number[], digits = 2): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}..${Math.max(...values).toFixed(digits)})`;

/** What is compared with must itself be steady, else a ratio tells of the machine's other work. */
const STEADY = 1.5;

/** By the median; null where the ratios lie on both sides of the goal and what was compared with varied by more than STEADY on its own. */
export function judgeRatio(ratios: readonly number[], compared: readonly number[], goal: number): boolean | null {
  const isClear = Math.max(...ratios) <= goal || Math.min(...ratios) > goal;
  const isSteady = Math.max(...compared) <= STEADY * Math.min(...compared);
  return isClear || isSteady ? median(ratios) <= goal : null;
}
