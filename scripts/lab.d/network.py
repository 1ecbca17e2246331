"""One bridge per lab, in the controller's network namespace; one veth per host."""

from __future__ import annotations

import subprocess

from problem import Problem
from state import Host, Lab

BRIDGE = "lab0"


def subnet_of(address: str) -> str:
    return address.rpartition(".")[0]


def controller_addresses(hosts: list[Host]) -> list[str]:
    """The first address of every /24 that the hosts use; it is those hosts' gateway too."""
    found: list[str] = []
    for host in hosts:
        gateway = f"{subnet_of(host['address'])}.1"
        if host["address"] == gateway:
            raise Problem(f"{gateway} is the controller's own address: give the host another")
        if gateway not in found:
            found.append(gateway)
    return found


def ip_batch(lines: list[str], inside: int | None = None) -> None:
    """`inside`: a process whose network namespace is meant; None: this one."""
    enter = [] if inside is None else ["nsenter", "-t", str(inside), "-n"]
    done = subprocess.run([*enter, "ip", "-force", "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True)
    if done.returncode != 0:
        raise Problem(f"ip: {done.stderr.strip()}")


def make_bridge(addresses: list[str]) -> None:
    """Called by the keeper, in its new namespace."""
    lines = ["link set lo up", f"link add {BRIDGE} type bridge forward_delay 0", f"link set {BRIDGE} up"]
    ip_batch(lines + [f"address add {address}/24 dev {BRIDGE}" for address in addresses])
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")


def plug_in(lab: Lab, host: Host) -> None:
    """A cable from the bridge to the namespace of the host's PID 1, which names and configures its end itself."""
    keeper = lab["controller"]["pid"]
    cable = host["cable"]
    subprocess.run(["nsenter", "-t", str(keeper), "-n", "ip", "link", "del", cable], capture_output=True)
    name = host["options"].get("interface", "eth0")
    mac = "02:" + ":".join(host["seed"][k : k + 2] for k in range(0, 10, 2))  # a card keeps its address over a reboot, so peers' ARP stays right
    ip_batch(
        [f"link add {cable} type veth peer name {name} address {mac} netns {host['pid']}", f"link set {cable} master {BRIDGE}", f"link set {cable} up"], keeper
    )

    forget_neighbour(lab, host)


def forget_neighbour(lab: Lab, host: Host) -> None:
    """Who asked for the host while it was off has noted that nobody answers, and would say "No route to host" for some seconds more."""
    for pid in [keeper_of(lab), *(other["pid"] for other in lab["hosts"].values() if other["pid"] not in (0, host["pid"]))]:
        subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "neigh", "flush", "to", host["address"]], capture_output=True)


def keeper_of(lab: Lab) -> int:
    return int(lab["controller"]["pid"])


def unplug(lab: Lab, host: Host) -> None:
    """The kernel removes a dead namespace's cables some time later; a boot must not wait for it."""
    subprocess.run(["nsenter", "-t", str(lab["controller"]["pid"]), "-n", "ip", "link", "del", host["cable"]], capture_output=True)


def configure_host(host: Host) -> None:
    """Called by the host's PID 1 in its namespace."""
    name, address = host["options"].get("interface", "eth0"), host["address"]
    ip_batch(["link set lo up", f"link set {name} up", f"address add {address}/24 dev {name}", f"route add default via {subnet_of(address)}.1"])


def set_link(lab: Lab, host: Host, up: bool) -> None:
    """The switch's end of the cable: the host sees a lost carrier and keeps its address, as with a pulled plug."""
    ip_batch([f"link set {host['cable']} {'up' if up else 'down'}"], lab["controller"]["pid"])


def apply_blocks(lab: Lab) -> None:
    """`blocks` are (from, to) addresses whose packets are dropped silently, as a firewall or a dead route does."""
    rules = "\n".join(f"    ip saddr {source} ip daddr {target} drop" for source, target in lab["blocks"])
    chains = "\n".join(f"  chain {hook} {{ type filter hook {hook} priority 0;\n{rules}\n  }}" for hook in ("prerouting", "output"))
    text = f"table bridge lab\ndelete table bridge lab\ntable bridge lab {{\n{chains}\n}}\n"
    done = subprocess.run(["nsenter", "-t", str(lab["controller"]["pid"]), "-n", "nft", "-f", "-"], input=text, text=True, capture_output=True)
    if done.returncode != 0:
        raise Problem(f"nft: {done.stderr.strip()}")
