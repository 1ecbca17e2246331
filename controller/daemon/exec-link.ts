/** An ad-hoc command over the link that the controller holds to a host anyway. */

import { fail } from "../../cluster/errors.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Keeper } from "./keeper.ts";

/** More than any agent sends ahead that keeps to its window; an older one knows of none, and the link carries a run's beats too. In bytes. */
const AHEAD_MAX = 8 * 1024 * 1024;

/**
 * What `output` gives settles when the reader has room for more: until then the command waits in its writes.
 * Errors: NO_LINK, EXEC_SLOW where its agent does not make it wait, what the agent refuses with.
 */
export async function execOnLink(
  keeper: Keeper | null,
  request: { readonly host: HostSpec; readonly argv: readonly string[] },
  cancelled: AbortSignal,
  output: (fd: 1 | 2, data: Buffer) => Promise<unknown>,
): Promise<unknown> {
  const linked = keeper?.current() ?? null;
  if (linked === null) throw fail("NO_LINK", { host: request.host.name });
  const tooSlow = new AbortController();
  const ended = AbortSignal.any([cancelled, tooSlow.signal]);
  let ahead = 0;
  let told: Promise<unknown> = Promise.resolve();
  const exit = await linked.link.exec(
    [...request.argv],
    (fd, data) => {
      if (ended.aborted) return; // dropped
      ahead += data.length;
      if (ahead > AHEAD_MAX) return tooSlow.abort();
      told = told
        .then(() => output(fd, data))
        .then(() => {
          ahead -= data.length;
        });
      return told;
    },
    (kill) => {
      if (ended.aborted) kill();
      else ended.addEventListener("abort", kill, { once: true });
    },
  );
  await told; // the end comes after all that was said
  if (tooSlow.signal.aborted) throw fail("EXEC_SLOW", { host: request.host.name });
  return exit;
}
