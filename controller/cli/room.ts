/** Waits until what was written has been read, as far as it must be: a slow reader of ours costs no memory here, and in turn makes the controller wait. */

export async function room(left: AbortSignal): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) if (stream.writableNeedDrain && !left.aborted) await drained(stream, left);
}

/** A reader that goes away ends the program (see entry.ts); somebody who leaves does not wait for the reader. */
function drained(stream: NodeJS.WriteStream, left: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done).off("close", done);
      left.removeEventListener("abort", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
    left.addEventListener("abort", done);
  });
}
