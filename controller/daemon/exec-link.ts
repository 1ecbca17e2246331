/** An ad-hoc command over the link that the controller holds to a host anyway. */

import { fail } from "../../cluster/errors.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Keeper } from "./keeper.ts";

/**
 * `output` says whether the reader keeps up. The link cannot be told to wait, it carries a run's beats and logs too: a command whose reader
 * does not keep up is ended. Errors: NO_LINK, EXEC_SLOW, what the agent refuses with.
 */
export async function execOnLink(
  keeper: Keeper | null,
  request: { readonly host: HostSpec; readonly argv: readonly string[] },
  cancelled: AbortSignal,
  output: (fd: 1 | 2, data: Buffer) => boolean,
): Promise<unknown> {
  const linked = keeper?.current() ?? null;
  if (linked === null) throw fail("NO_LINK", { host: request.host.name });
  const tooSlow = new AbortController();
  const ended = AbortSignal.any([cancelled, tooSlow.signal]);
  const exit = await linked.link.exec(
    [...request.argv],
    (fd, data) => {
      if (!ended.aborted && !output(fd, data)) tooSlow.abort();
    },
    (kill) => {
      if (ended.aborted) kill();
      else ended.addEventListener("abort", kill, { once: true });
    },
  );
  if (tooSlow.signal.aborted) throw fail("EXEC_SLOW", { host: request.host.name });
  return exit;
}
