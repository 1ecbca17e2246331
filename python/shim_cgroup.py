"""A cgroup of its own for an attempt, where a cgroup2 directory of ours is writable: the surest way to find and end all of it."""

from __future__ import annotations

import os
import re


def _own_directory() -> str | None:
    """Where the cgroup2 hierarchy (pure or hybrid) shows the cgroup that this process is in."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as f:
            mounts = [line.split(" - ") for line in f if " - cgroup2 " in line]
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as f:
            inside = [line.rstrip("\n")[3:] for line in f if line.startswith("0::")]
    except OSError:
        return None
    if not mounts or not inside:
        return None
    fields = mounts[0][0].split()
    root, point = fields[3], fields[4].encode().decode("unicode_escape")  # mountinfo writes a space as \040
    if root != "/" and (inside[0] + "/").startswith(root + "/"):
        return os.path.normpath(point + "/" + inside[0][len(root) :])
    if root != "/":
        return None  # another part of the tree is mounted here
    return os.path.normpath(point + "/" + inside[0])


def _accepts_processes(path: str) -> bool:
    """Moves a throwaway child in: permission to make a directory does not mean permission to fill it."""
    child = os.fork()
    if child == 0:
        try:
            join(path)
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def make(name: str) -> str | None:
    """Path of a new cgroup that takes processes; None: there is none to be had, which is no failure."""
    parent = _own_directory()
    if parent is None:
        return None
    path = os.path.join(parent, "nexadist-" + re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:128])
    try:
        os.mkdir(path)
    except OSError:
        return None
    try:
        if _accepts_processes(path):
            return path
    except OSError:
        pass
    remove(path)
    return None


def join(path: str) -> None:
    """Moves the calling process in."""
    with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as f:
        f.write("0")


def pids(path: str) -> list[int]:
    """Live processes in it and below. A pid of 0 belongs to another pid namespace and cannot be named."""
    found: list[int] = []
    for directory, _, _ in os.walk(path):
        try:
            with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as f:
                found.extend(int(word) for word in f.read().split())
        except OSError:
            continue
    return found


def kill(path: str) -> bool:
    """SIGKILL to all of it at once; False before Linux 5.14."""
    try:
        with open(os.path.join(path, "cgroup.kill"), "w", encoding="ascii") as f:
            f.write("1")
        return True
    except OSError:
        return False


def remove(path: str) -> None:
    """Best effort: only an empty one can be removed, with the ones that the user's program made below it."""
    for directory, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            pass
