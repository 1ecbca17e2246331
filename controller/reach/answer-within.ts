/** How long a far end may take to show that it is there. */

export const noAnswer = (doing: string): string => `it no longer answers, while ${doing}`;

/** Rejects with `late()` when `answered` has not settled in time. */
export async function answerWithin(answered: Promise<unknown>, withinMs: number, late: () => Error): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), withinMs);
  try {
    await Promise.race([answered, promise]);
  } finally {
    clearTimeout(timer);
  }
}
