"""How the fake's GPUs hang together: topo -m, topo -p2p, nvlink -s and -e, -q -d PCI."""

from __future__ import annotations

from typing import Any

Row = dict[str, str]

LEGEND = """
Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
  NODE = Connection traversing PCIe as well as the interconnect between PCIe Host Bridges within a NUMA node
  PHB  = Connection traversing PCIe as well as a PCIe Host Bridge (typically the CPU)
  PXB  = Connection traversing multiple PCIe bridges (without traversing the PCIe Host Bridge)
  PIX  = Connection traversing at most a single PCIe bridge
  NV#  = Connection traversing a bonded set of # NVLinks
"""
P2P_LEGEND = """
Legend:

  X    = Self
  OK   = Status Ok
  CNS  = Chipset not supported
  GNS  = GPU not supported
  TNS  = Topology not supported
  NS   = Not supported
  U    = Unknown
"""


def print_topology(control: dict[str, Any], rows: list[Row]) -> None:
    """Heads are underlined also in a pipe; columns are divided by tabs."""
    names = [f"GPU{row['index']}" for row in rows]
    link = control.get("topo_link", "NV18")
    heads = [*names, "CPU Affinity", "NUMA Affinity", "GPU NUMA ID"]
    print("\t" + "\t".join(f"\033[4m{head}\033[0m" for head in heads))
    for name in names:
        print("\t".join([name, *(" X " if other == name else link for other in names), "0-47,96-143", "0", "", "N/A"]))
    print(LEGEND)


def print_p2p(control: dict[str, Any], rows: list[Row]) -> None:
    names = [f"GPU{row['index']}" for row in rows]
    status = control.get("p2p", "OK")
    print(" \t" + "\t".join(f"\033[4m{name}\033[0m" for name in names) + "\t")
    for name in names:
        print("\t".join([f" {name}", *("X" if other == name else status for other in names), ""]))
    print(P2P_LEGEND)


def print_nvlink(control: dict[str, Any], rows: list[Row], wants_errors: bool) -> None:
    """`nvlink` of the control: links of each GPU; a GPU's own `dead_links` of them are inactive, `nvlink_errors` replays."""
    count = int(control.get("nvlink", 18))
    for row, given in zip(rows, control["gpus"]):
        print(f"GPU {row['index']}: {row['name']} (UUID: {row['uuid']})")
        if given.get("mig"):
            print("\t Nvlink queries are not supported for Devices in MIG mode")
        elif count == 0:
            print("\t Device does not have or support Nvlink")
        elif given.get("dead_links", 0) >= count:
            print("\t Unable to retrieve NVLink information as all links are inActive")
        for link in range(count if not given.get("mig") and given.get("dead_links", 0) < count else 0):
            if wants_errors:
                errors = given.get("nvlink_errors", 0) if link == 0 else 0
                print(f"\t Link {link}: Replay Errors: {errors}\n\t Link {link}: Recovery Errors: 0\n\t Link {link}: CRC Errors: 0")
            else:
                print(f"\t Link {link}: {'<inactive>' if link >= count - given.get('dead_links', 0) else '26.562 GB/s'}")


def print_pci(rows: list[Row], given: list[dict[str, Any]]) -> None:
    print("\n==============NVSMI LOG==============\n")
    print(f"Attached GPUs                                          : {len(rows)}")
    for row, own in zip(rows, given):
        print(f"GPU {row['pci.bus_id']}\n    PCI")
        print(f"        Bus                                            : {row['pci.bus']}")
        print(f"        Replays Since Reset                            : {own.get('replays', 0)}")
        print("        Replay Number Rollovers                        : 0\n")
