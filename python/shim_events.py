"""What the shim writes about an attempt: events.jsonl for agents, pids.jsonl for whoever must sweep when the shim is gone."""

from __future__ import annotations

import binascii
import errno
import json
import os
import time
from typing import Any, Callable

from shim_loop import log

# Given back when the disk is full, so that the events of a stop still fit.
_RESERVE_BYTES = 64 * 1024


class Journal:
    """A file of JSON lines that are on the disk before `append` returns, or kept for later while the disk is full."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._path = path
        self._backlog = b""

    def append(self, records: list[str]) -> None:
        """All of them with one fsync."""
        self._backlog += "".join(seal(record) + "\n" for record in records).encode()
        self.flush()

    def is_whole(self) -> bool:
        """Nothing waits for room."""
        return not self._backlog

    def flush(self) -> None:
        """Tries again what did not fit."""
        while self._backlog:
            before = os.fstat(self._fd).st_size
            try:
                written = os.write(self._fd, self._backlog)
                if written == len(self._backlog):
                    self._backlog = b""
                    os.fsync(self._fd)
                    return
                os.ftruncate(self._fd, before)  # half a line is worse than none
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    log(f"{self._path}: {error.strerror}")
                    return
            if not release_reserve(os.path.dirname(self._path)):
                return


def make_reserve(directory: str) -> None:
    """Real blocks, not a hole."""
    try:
        with open(os.path.join(directory, "reserve"), "wb") as f:
            f.write(os.urandom(_RESERVE_BYTES))
    except OSError as error:
        log(f"no reserve against a full disk: {error.strerror}")


def release_reserve(directory: str) -> bool:
    """False: it was gone already."""
    try:
        os.unlink(os.path.join(directory, "reserve"))
        return True
    except OSError:
        return False


class Events:
    """The attempt's events, numbered from 0; subscribers hear of one only after it was written."""

    def __init__(self, directory: str) -> None:
        self._journal = Journal(os.path.join(directory, "events.jsonl"))
        self.lines: list[str] = []
        self.subscribers: list[Callable[[str], None]] = []

    def emit(self, kind: str, **fields: Any) -> None:
        """One event."""
        self.emit_all([(kind, fields)])

    def emit_all(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        """Several with one fsync."""
        at = int(time.time() * 1000)
        first = len(self.lines)
        lines = [json.dumps({"index": first + i, "at": at, "type": kind, **fields}) for i, (kind, fields) in enumerate(events)]
        self._journal.append(lines)
        self.lines.extend(lines)
        for line in lines:
            for tell in list(self.subscribers):
                tell(line)

    def flush(self) -> None:
        """See Journal.flush."""
        self._journal.flush()

    def is_on_disk(self) -> bool:
        """All of them."""
        return self._journal.is_whole()


_SEAL = ',"crc":"'


def seal(record: str) -> str:
    """The JSON of an object (ASCII) with its own checksum as its last member; cluster/sealed-line.ts writes the same."""
    body = record[:-1]
    return f'{body}{_SEAL}{binascii.crc32(body.encode()) & 0xFFFFFFFF:08x}"}}'


def read_lines(path: str) -> tuple[list[dict[str, Any]], bool]:
    """Whole lines of a file, and whether any other is not what was written; a torn last one is left out. Raises OSError."""
    found: list[dict[str, Any]] = []
    is_whole = True
    with open(path, encoding="utf-8", errors="replace", newline="\n") as f:
        for line in f:
            if not line.endswith("\n"):
                break
            body, _, _ = line.rpartition(_SEAL)
            if line[:-1] == seal(body + "}"):
                found.append(json.loads(body + "}"))
            else:
                is_whole = False
    return found, is_whole
