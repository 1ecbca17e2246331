"""The lock that makes a second shim of an attempt impossible; the kernel frees it when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Any


class Locked(Exception):
    """A shim of this attempt is alive."""


def take_lock(arm: dict[str, Any]) -> int:
    """Held until this process ends. Where the file system has no locks (some NFS): beside the socket, which is on a local disk."""
    last: OSError = OSError()
    for path in (os.path.join(arm["dir"], "lock"), arm["socket"] + ".lock"):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except OSError as error:
            os.close(fd)
            last = error
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise Locked("a shim of this attempt is alive") from None
    raise last
