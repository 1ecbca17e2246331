"""Keeps log files within their quota: the oldest bytes go back to the disk, offsets never change, training never waits."""

from __future__ import annotations

import ctypes
import os

from shim_events import Events
from shim_loop import log
from shim_proc import libc

_KEEP_SIZE = 1
_PUNCH_HOLE = 2
_BLOCK = 4096
_LOG_ENDINGS = (".out", ".err", ".nccl")


def _punch(fd: int, offset: int, length: int) -> bool:
    call = libc().fallocate
    return bool(call(ctypes.c_int(fd), ctypes.c_int(_KEEP_SIZE | _PUNCH_HOLE), ctypes.c_long(offset), ctypes.c_long(length)) == 0)


class Quota:
    """Of one attempt directory."""

    def __init__(self, directory: str, quota_bytes: int, events: Events) -> None:
        self._directory = directory
        self._quota_bytes = quota_bytes
        self._events = events
        self._given_back: dict[str, int] = {}
        self._can_punch = self._try_punch()

    def _try_punch(self) -> bool:
        path = os.path.join(self._directory, "punch")
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.write(fd, bytes(2 * _BLOCK))
            works = _punch(fd, 0, _BLOCK)
        except (OSError, AttributeError):
            works = False
        finally:
            os.close(fd)
            os.unlink(path)
        if not works:
            log("this file system cannot give back part of a file: log quotas do not act")
        return works

    def check(self) -> None:
        """Gives back the oldest of every file over its quota, down to half of it; the gap is on record before the bytes go."""
        if not self._can_punch:
            return
        for name in os.listdir(self._directory):
            if not name.endswith(_LOG_ENDINGS):
                continue
            path = os.path.join(self._directory, name)
            try:
                size = os.stat(path).st_size
            except OSError:
                continue
            start = self._given_back.get(name, 0)
            if size - start <= self._quota_bytes:
                continue
            end = (size - self._quota_bytes // 2) // _BLOCK * _BLOCK
            if end <= start:
                continue
            self._events.emit("gap", file=name, **{"from": start, "to": end}, why="quota")
            self._given_back[name] = end
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                if not _punch(fd, start, end - start):
                    log(f"{name}: could not give back bytes {start} to {end}")
            finally:
                os.close(fd)
