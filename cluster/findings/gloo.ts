/** Findings of gloo, which carries collectives between CPUs. */

import { inFamily } from "./finding.ts";

export const GLOO = inFamily("gloo", "network", [
  {
    code: "GLOO_LOOPBACK",
    title: "gloo announces 127.0.0.1 to the other hosts",
    role: "setup",
    patterns: [/Unable to resolve hostname to a \(local\) address\. Using the loopback address as fallback/],
    cause: "The host's own name has no address of the host, so gloo falls back to loopback, which peers elsewhere cannot reach.",
    remedy: "Set `interface` of the host (GLOO_SOCKET_IFNAME follows it), or give its name an address in /etc/hosts.",
  },
  {
    code: "GLOO_CONNECT",
    title: "gloo could not connect every rank with every other",
    role: "root",
    patterns: [/[Gg]loo connectFullMesh failed with/],
    cause:
      "An address that cannot be reached was announced (127.0.1.1, the wrong network), a firewall closes high ports, or the store holds addresses of an earlier attempt.",
    remedy: "Set `interface` of all hosts; let TCP through both ways between them.",
    dependsOn: ["GLOO_LOOPBACK", "GLOO_INTERFACE"],
  },
  {
    code: "GLOO_INTERFACE",
    title: "the interface that gloo should use is not there",
    role: "setup",
    patterns: [/Unable to find (?:address|interface) for: (?<name>\S{1,60})/],
    cause: "GLOO_SOCKET_IFNAME names {name}: a VPN in userspace mode has none, a container sees its own only.",
    remedy: "Set `interface` of that host to one that nexadist hosts shows.",
  },
  {
    code: "GLOO_PEER_CLOSED",
    title: "gloo: a peer closed the connection",
    role: "symptom",
    patterns: [/gloo\/transport\/tcp\/pair\.cc:\d{1,6}\] (?:Connection closed by peer|Read error|Write error|writev)/],
    cause: "Another rank ended, and this one noticed.",
    remedy: "Look at the rank that ended first: nexadist status.",
  },
  {
    code: "GLOO_TIMEOUT",
    title: "gloo waited in vain for a peer",
    role: "root",
    kind: "hang",
    patterns: [/Timed out waiting (?<ms>\d{1,12})ms for (?<op>recv|send) operation to complete/],
    cause: "The peer is alive and takes no part: it hangs, was frozen or is very slow. The group's time-out was {ms} ms.",
    remedy: "nexadist hang names the rank; a shorter timeout in init_process_group shows it sooner.",
  },
]);
