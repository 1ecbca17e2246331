/** An ad-hoc command over the link that the controller holds to a host anyway. */

import { fail } from "../../cluster/errors.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Keeper } from "./keeper.ts";

export async function execOnLink(
  keeper: Keeper | null,
  request: { readonly host: HostSpec; readonly argv: readonly string[] },
  output: (fd: 1 | 2, data: Buffer) => void,
  onCancel: (cancel: () => void) => void,
): Promise<unknown> {
  const linked = keeper?.current() ?? null;
  if (linked === null) throw fail("NO_LINK", { host: request.host.name });
  return linked.link.exec([...request.argv], output, onCancel);
}
