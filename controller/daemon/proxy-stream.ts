/** A remote process's stdin and stdout as one stream. */

import { Duplex } from "node:stream";
import type { RemoteProcess } from "../reach/transport.ts";

export function asDuplex(child: RemoteProcess): Duplex {
  child.stderr.resume();
  return Duplex.from({ readable: child.stdout, writable: child.stdin });
}
