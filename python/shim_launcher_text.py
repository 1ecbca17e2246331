"""What torchrun says of its workers in launcher.err: needed where it reaped one before the kernel could be asked."""

from __future__ import annotations

import os
import re

# torch 2.13 distributed/elastic/multiprocessing: api.py:1003, errors/__init__.py (the table), api.py:1029.
_FAILED = re.compile(rb"failed \(exitcode: (-?\d+)\) local_rank: \d+ \(pid: (\d+)\)")
_TABLE = re.compile(rb"exitcode\s*:\s*(-?\d+)\s*\(pid:\s*(\d+)\)")
_CLOSING = re.compile(rb"Sending process (\d+) closing signal SIGTERM")
# The end of the file is enough: these lines are its last.
_TAIL_BYTES = 256 * 1024


def read_tail(directory: str) -> bytes:
    """The end of launcher.err; empty when there is none."""
    try:
        with open(os.path.join(directory, "launcher.err"), "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - _TAIL_BYTES))
            return f.read()
    except OSError:
        return b""


def exit_status_in(text: bytes, pid: int) -> int | None:
    """The wait(2) status that torchrun gives for a worker: exitcode is negative for a signal."""
    for pattern in (_FAILED, _TABLE):
        for code, who in pattern.findall(text):
            if int(who) == pid:
                return -int(code) if int(code) < 0 else int(code) << 8
    return None


def told_in(text: bytes) -> set[int]:
    """Workers that torchrun says it sends SIGTERM to."""
    return {int(pid) for pid in _CLOSING.findall(text)}
