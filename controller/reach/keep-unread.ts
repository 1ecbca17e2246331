/** Output of a child process that nobody reads yet: Node throws it away when the process exits, this keeps it for a reader who comes later. */

import { PassThrough, pipeline, type Readable } from "node:stream";

export function keepUnread(output: Readable): Readable {
  const kept = new PassThrough();
  pipeline(output, kept, () => {}); // a reader that goes away closes the pipe, as with the output itself
  return kept;
}
