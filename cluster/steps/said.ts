/** What one line of a trainer says of its progress. Nothing is made up: what it does not say is null. */

export type Rate = { readonly value: number; readonly of: "tokens" | "samples" /** Of one GPU; else of all together. */; readonly isPerGpu: boolean };

/**
 * How much its number is to be trusted as the step of the training. call: nexa_dist.step. pattern: the file's own. keys: a line of names and numbers.
 * bar: a progress bar. inner: one below another. epochs: one that counts epochs.
 */
export type Source = "call" | "pattern" | "keys" | "bar" | "inner" | "epochs";

export type Said = {
  readonly source: Source;
  /** Lines of one series count the same thing. */
  readonly series: string;
  readonly step: number | null;
  readonly total: number | null;
  readonly epoch: number | null;
  /** NaN when it says so. */
  readonly loss: number | null;
  /** One step, as the trainer measured it. */
  readonly stepMs: number | null;
  readonly rate: Rate | null;
  /** What this rank itself worked in a step, without its waits for the others. */
  readonly busyMs: number | null;
};

export const SILENT: Omit<Said, "source" | "series"> = { step: null, total: null, epoch: null, loss: null, stepMs: null, rate: null, busyMs: null };
