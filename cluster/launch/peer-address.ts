/** What the peers of a host call it: the file's `address`, else the address that SSH dialled, since an alias of ssh_config means nothing on another host. */

import type { HostSpec } from "../spec.ts";

export function withPeerAddress(host: HostSpec, dialled: string | null): HostSpec {
  const isDefault = host.address === host.name || host.address === host.sshHost;
  return isDefault && dialled !== null ? { ...host, address: dialled } : host;
}
