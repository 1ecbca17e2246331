/** A measured figure: said to the person on stderr, handed on as one JSON line on stdout. */

export type Figure = {
  readonly figure: string;
  readonly goal: string;
  readonly measured: string;
  readonly isMet: boolean;
  readonly command: string;
};

export const log = (text: string): void => void process.stderr.write(`${text}\n`);

export function report(figure: Figure): void {
  log(`${figure.isMet ? "met   " : "MISSED"} ${figure.figure}: ${figure.measured} (goal ${figure.goal})`);
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
