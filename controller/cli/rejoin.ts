/** A viewer folds what it is told as its own build knows it: a controller of another build in the place of the one that was watched is not watched. */

import { fail } from "../../cluster/errors.ts";
import type { Pong } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";

const pongOf = (client: Client): Promise<Pong> => client.ask({ ask: "ping" }) as Promise<Pong>;

/** Finds another connection in place of `first`; `run` null: all runs were watched. Errors of it: CONTROLLER_REPLACED, those of `find`. */
export function rejoin(first: Client, run: string | null, find: () => Promise<Client>): () => Promise<Client> {
  let watched: Pong | null = null;
  pongOf(first).then(
    (pong) => {
      watched ??= pong;
    },
    () => undefined,
  );
  return async () => {
    const client = await find();
    const pong = await pongOf(client);
    watched ??= pong;
    if (pong.protocol === watched.protocol && pong.build === watched.build) return client;
    client.close();
    throw fail("CONTROLLER_REPLACED", run === null ? {} : { run });
  };
}
