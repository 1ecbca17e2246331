/** `exec --raw`: what one host's command writes, byte by byte as it is, for a pipe or a file. */

import { fail } from "../../cluster/errors.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Output } from "./exec.ts";
import { room } from "./room.ts";

/** Bytes of two hosts in one pipe are nobody's. Errors: USAGE. */
export function mayBeRaw(hosts: readonly HostSpec[], isJson: boolean): void {
  if (isJson) throw fail("USAGE", { what: "--raw and --json are two ways to write one output", fix: "nexadist exec --raw --host HOST -- COMMAND" });
  if (hosts.length !== 1)
    throw fail("USAGE", {
      what: `--raw takes one host, and ${hosts.length} are meant`,
      fix: `nexadist exec --raw --host ${hosts[0]?.name ?? "HOST"} -- COMMAND`,
    });
}

/** Who leaves an exec ends the program. */
const STAYS = new AbortController().signal;

export const rawOutput = (): Output => ({
  take: async (fd, data) => {
    (fd === 1 ? process.stdout : process.stderr).write(data);
    await room(STAYS);
  },
  end: () => undefined,
  kept: () => ({}),
});
