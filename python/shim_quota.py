"""Keeps log files within their quota and the disk: the oldest bytes go back to it, offsets never change, training never waits."""

from __future__ import annotations

import ctypes
import os
import time

from shim_events import Events
from shim_loop import log
from shim_proc import libc

_KEEP_SIZE = 1
_PUNCH_HOLE = 2
_BLOCK = 4096
_LOG_ENDINGS = (".out", ".err", ".nccl")
# Room that each log has for itself beyond its end, so that a rank can write when the disk is full.
_ROOM_BYTES = 1 << 20
# Looks come often enough that no log outruns its quota or the disk by much; a look costs some tens of microseconds.
_SOONEST_S = 0.02
_LATEST_S = 0.1


def _fallocate(fd: int, mode: int, offset: int, length: int) -> bool:
    call = libc().fallocate
    return bool(call(ctypes.c_int(fd), ctypes.c_int(mode), ctypes.c_long(offset), ctypes.c_long(length)) == 0)


def _punch(fd: int, offset: int, length: int) -> bool:
    return _fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, offset, length)


class Quota:
    """Of one attempt directory."""

    def __init__(self, directory: str, quota_bytes: int, events: Events) -> None:
        self._directory = directory
        self._quota_bytes = quota_bytes
        self._events = events
        self._given_back: dict[str, int] = {}
        self._roomy_to: dict[str, int] = {}
        self._owed: list[tuple[str, int, int]] = []
        self._sizes = 0
        self._looked_at = time.monotonic()
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

    def check(self) -> float:
        """Gives back what is too much; seconds until the next look should be."""
        if not self._can_punch:
            return _LATEST_S
        self._pay()
        total = 0
        for name in os.listdir(self._directory):
            if not name.endswith(_LOG_ENDINGS):
                continue
            try:
                size = os.stat(os.path.join(self._directory, name)).st_size
            except OSError:
                continue
            total += size
            if size - self._given_back.get(name, 0) > self._quota_bytes:
                self._give_back(name, size - self._quota_bytes // 2, "quota")
            self._keep_room(name, size)
        return self._next_look(total)

    def _next_look(self, total: int) -> float:
        now = time.monotonic()
        rate = (total - self._sizes) / max(now - self._looked_at, 0.001)
        self._sizes, self._looked_at = total, now
        disk = os.statvfs(self._directory)
        spare = min(self._quota_bytes // 4, disk.f_bavail * disk.f_frsize // 8)
        return min(_LATEST_S, max(_SOONEST_S, spare / rate)) if rate > 0 else _LATEST_S

    def _give_back(self, name: str, to: int, why: str) -> bool:
        """The gap is on record before the bytes go; False: nothing went, or not yet."""
        start = self._given_back.get(name, 0)
        end = to // _BLOCK * _BLOCK
        if end <= start or self._owed:
            return False
        self._events.emit("gap", file=name, **{"from": start, "to": end}, why=why)
        self._given_back[name] = end
        self._owed.append((name, start, end))
        return self._pay()

    def _pay(self) -> bool:
        if not self._events.is_on_disk():
            return False
        for name, start, end in self._owed:
            fd = os.open(os.path.join(self._directory, name), os.O_WRONLY | os.O_CLOEXEC)
            try:
                if not _punch(fd, start, end - start):
                    log(f"{name}: could not give back bytes {start} to {end}")
            finally:
                os.close(fd)
        self._owed = []
        return True

    def _keep_room(self, name: str, size: int) -> None:
        """Blocks beyond the end of the log; on a full disk those of its oldest bytes."""
        if self._roomy_to.get(name, 0) - size >= _ROOM_BYTES // 2:
            return
        fd = os.open(os.path.join(self._directory, name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            if _fallocate(fd, _KEEP_SIZE, size, _ROOM_BYTES) or (
                self._give_back(name, size - _ROOM_BYTES // 4, "disk-full") and _fallocate(fd, _KEEP_SIZE, size, _ROOM_BYTES // 2)
            ):
                self._roomy_to[name] = size + _ROOM_BYTES
        finally:
            os.close(fd)

    def release(self) -> None:
        """The room beyond each end, when nobody writes any more."""
        for name in self._roomy_to:
            try:
                fd = os.open(os.path.join(self._directory, name), os.O_WRONLY | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                size = os.fstat(fd).st_size
                os.ftruncate(fd, size)
                _punch(fd, -(-size // _BLOCK) * _BLOCK, 2 * _ROOM_BYTES)
            except OSError as error:
                log(f"{name}: {error.strerror}")
            finally:
                os.close(fd)
        self._roomy_to = {}
