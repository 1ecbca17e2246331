"""A host's life: make, boot, power off, freeze, thaw."""

from __future__ import annotations

import os
import signal

import init
import state
from background import Background, start_background
from cgroup import put_in_cgroup
from kernel import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS
from network import plug_in, unplug
from problem import Problem
from process import end, in_namespace, is_alive, start_of
from state import Host, Lab

NAMESPACES = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS


def is_up(host: Host) -> bool:
    return is_alive(host["pid"], host["start"])


def boot_all(lab: Lab, hosts: list[Host]) -> None:
    """Side by side: each host's own work is mounts and sshd."""
    started: list[tuple[Host, Background]] = []
    for host in hosts:
        os.makedirs(host["root"], exist_ok=True)
        log = os.path.join(lab["dir"], "hosts", host["name"], "init.log")
        reaps = host["options"].get("init") != "noreap"

        def prepare(host: Host = host) -> None:
            init.prepare(lab, host)

        def live(reaps: bool = reaps) -> None:
            init.live(reaps)

        background = start_background(f"lab-{host['name']}", NAMESPACES, log, prepare, live)  # type: ignore[arg-type]
        host["pid"] = background.pid
        host["start"] = start_of(background.pid) or ""
        started.append((host, background))
        if "cgroup" in host["options"]:
            put_in_cgroup(lab, host)
    # They wait for go(), and end without it: from here on `down` finds them even if this command is killed.
    state.save(lab)
    for host, background in started:
        plug_in(lab, host)
        background.go()
    for host, background in started:
        host["start"] = background.wait_ready(f"host {host['name']}")


def power_off(lab: Lab, host: Host) -> None:
    """PID 1 dies and the kernel ends everything in its namespace at once; the cable goes first, so nobody says goodbye."""
    unplug(lab, host)
    left = end([(host["pid"], host["start"])])
    if left:
        raise Problem(f"host {host['name']}: PID {left[0]} does not die")


def signal_all(host: Host, number: int) -> None:
    """Every process of the host, until no new one shows up."""
    seen: set[int] = set()
    while True:
        found = set(in_namespace("pid", host["pid"])) - seen
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        seen |= found


def freeze(host: Host) -> None:
    signal_all(host, signal.SIGSTOP)


def thaw(host: Host) -> None:
    signal_all(host, signal.SIGCONT)
