"""A cgroup2 tree of the host's own, where the option asks for one: what a host with systemd has, and a bare container has not."""

from __future__ import annotations

import os

from kernel import CLONE_NEWCGROUP, MS_NODEV, MS_NOEXEC, MS_NOSUID, mount, unshare
from problem import Problem
from state import Host, Lab


def mount_point() -> str:
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            if after.startswith("cgroup2 "):
                return before.split()[4]
    raise Problem("option cgroup=v2: this machine has no cgroup2 mounted")


def put_in_cgroup(lab: Lab, host: Host) -> None:
    """Before anything is started in the host."""
    path = os.path.join(mount_point(), f"nexadist-lab-{lab['name']}-{host['name']}")
    os.makedirs(path, exist_ok=True)
    host["cgroup"] = path
    with open(os.path.join(path, "cgroup.procs"), "w") as file:
        file.write(str(host["pid"]))


def mount_cgroup(root: str) -> None:
    """In the host's PID 1: its own cgroup becomes the root of what it sees."""
    unshare(CLONE_NEWCGROUP)
    mount("cgroup2", f"{root}/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def remove_cgroup(host: Host) -> None:
    """After its processes are gone; deepest first, as the kernel wants it."""
    for path, _, _ in os.walk(host.get("cgroup", ""), topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            continue
