"""A lab on disk: its directory and its state file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from problem import Problem

# Everything that is known of a lab or a host is plain JSON, so that `down` works after any crash.
Lab = dict[str, Any]
Host = dict[str, Any]


def base_dir() -> str:
    return f"/tmp/nexadist-lab-{os.getuid()}"


def lab_dir(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise Problem(f"a lab's name is small letters, digits and '-', at most 31 of them: {name!r}")
    return os.path.join(base_dir(), name)


def make_base_dir() -> None:
    path = base_dir()
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Problem(f"{path} is not a private directory of yours: remove it")


def save(lab: Lab) -> None:
    path = os.path.join(lab["dir"], "state.json")
    with open(path + ".new", "w") as file:
        json.dump(lab, file, indent=1)
    os.replace(path + ".new", path)


def load(name: str) -> Lab:
    try:
        with open(os.path.join(lab_dir(name), "state.json")) as file:
            return json.load(file)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise Problem(f"no lab named {name!r} (scripts/lab list)") from None


def host_of(lab: Lab, name: str) -> Host:
    host = lab["hosts"].get(name)
    if host is None:
        raise Problem(f"lab {lab['name']} has no host {name!r}: {', '.join(lab['hosts'])}")
    return host  # type: ignore[no-any-return]


def names() -> list[str]:
    try:
        return sorted(name for name in os.listdir(base_dir()) if os.path.isfile(os.path.join(base_dir(), name, "state.json")))
    except FileNotFoundError:
        return []


def take(path: str) -> int:
    """The lock of the file that is at `path` once it is held: a holder before may have removed the one that was opened."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(fd).st_ino:
                return fd
        os.close(fd)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """One change of a lab at a time; the lock is beside the directory, so `down` may remove that."""
    make_base_dir()
    path = lab_dir(name) + ".lock"
    fd = take(path)
    try:
        yield
    finally:
        if not os.path.isdir(lab_dir(name)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        os.close(fd)
