"""The file system under a directory, and whether something can be written there; asked in a process of its own, since a dead mount blocks."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from host_wire import read_text

Json = dict[str, Any]

WRITE_BYTES = 1024 * 1024


def nearest(path: str) -> str:
    """The directory itself, or the first above it that is there."""
    while not os.path.isdir(path) and path not in ("", "/"):
        path = os.path.dirname(path)
    return path or "/"


def mount_of(device: str, path: str) -> Json:
    """The line of mountinfo that holds `path`: the last of the longest mount points above it."""
    found: Json = {}
    real = os.path.realpath(path)
    for line in read_text("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        fields, more = left.split(), right.split()
        if len(fields) < 6 or len(more) < 2:
            continue
        point = fields[4].encode().decode("unicode_escape", "replace") if "\\" in fields[4] else fields[4]
        is_above = real == point or real.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= len(str(found.get("point", ""))):
            found = {"point": point, "options": fields[5], "type": more[0], "source": more[1], "isSameDevice": fields[2] == device}
    return found


def disk(request: Json) -> str:
    asked = os.path.join(os.path.expanduser("~"), os.path.expanduser(str(request["path"])))
    here = nearest(asked)
    room = os.statvfs(here)
    device = os.stat(here).st_dev
    found: Json = {
        "path": asked,
        "exists": here == asked.rstrip("/") or os.path.isdir(asked),
        "nearest": here,
        "bytes": room.f_blocks * room.f_frsize,
        "free": room.f_bavail * room.f_frsize,
        # What root keeps for itself counts as taken, as df has it.
        "used": (room.f_blocks - room.f_bfree) * room.f_frsize,
        "inodes": room.f_files,
        "inodesFree": room.f_favail,
        "mayWrite": os.access(here, os.W_OK | os.X_OK),
        "mount": mount_of(f"{os.major(device)}:{os.minor(device)}", here),
    }
    return json.dumps(found)


def write(request: Json) -> str:
    """A file without a name, so that nothing is left whatever happens; with a name, removed before it is written, where the file system has no such thing."""
    here = nearest(os.path.join(os.path.expanduser("~"), os.path.expanduser(str(request["path"]))))
    begun = time.monotonic()
    try:
        fd = os.open(here, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except (OSError, AttributeError):
        path = os.path.join(here, f".nexadist-look.{os.getpid()}")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise OSError(error.errno, error.strerror) from None  # the name of our file tells nobody anything
        os.unlink(path)
    try:
        block = os.urandom(65536)
        written = 0
        while written < WRITE_BYTES:
            written += os.write(fd, block)
        os.fsync(fd)
    finally:
        os.close(fd)
    return json.dumps({"where": here, "bytes": written, "ms": round((time.monotonic() - begun) * 1000)})
