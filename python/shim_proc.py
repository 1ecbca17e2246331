"""Processes as (pid, start time): what /proc says of them, and signals that can only reach the one meant."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import struct
from collections.abc import Iterable
from typing import NamedTuple

# One number on every architecture since Linux 5.1; needed where Python was built against older headers (conda, manylinux).
_SYS_PIDFD_SEND_SIGNAL = 424
_SYS_PIDFD_OPEN = 434
# _IOWR(0xFF, 11, struct pidfd_info of 64 bytes): Linux 6.13; PIDFD_INFO_EXIT: 6.15, answers after the process was reaped by another.
_PIDFD_GET_INFO = 0xC040FF0B
_PIDFD_INFO_EXIT = 1 << 3
_PR_SET_CHILD_SUBREAPER = 36


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    comm: str
    state: str
    ppid: int
    session: int
    threads: int
    start: int  # clock ticks since boot: with the pid, the identity of a process
    exit_status: int  # as from wait(2); true only of a zombie

    def is_gone(self) -> bool:
        """A zombie holds nothing; its parent may never reap it (PID 1 of many containers does not). One with threads left still runs."""
        return self.state in "XxZ" and self.threads <= 1


def read_stat(pid: int) -> Stat | None:
    """None: no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            text = f.read()
    except OSError:
        return None
    head, _, tail = text.rpartition(b")")
    fields = tail.split()
    if len(fields) < 50:
        return None
    comm = head.partition(b"(")[2].decode("utf-8", "replace")
    # tail begins with field 3 (state)
    return Stat(pid, comm, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[17]), int(fields[19]), int(fields[49]))


def is_alive(pid: int, start: int) -> bool:
    """Whether this very process still runs."""
    stat = read_stat(pid)
    return stat is not None and stat.start == start and not stat.is_gone()


def all_stats() -> dict[int, Stat]:
    """Every process that /proc shows."""
    found: dict[int, Stat] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = read_stat(int(name))
            if stat is not None:
                found[stat.pid] = stat
    return found


def descendants(roots: Iterable[int], stats: dict[int, Stat]) -> set[int]:
    """Pids below the roots, the roots themselves left out."""
    children: dict[int, list[int]] = {}
    for stat in stats.values():
        children.setdefault(stat.ppid, []).append(stat.pid)
    found: set[int] = set()
    queue = list(roots)
    while queue:
        for child in children.get(queue.pop(), ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def children_of(pid: int) -> list[int]:
    """Direct children of all its threads, cheaply where the kernel lists them (CONFIG_PROC_CHILDREN)."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as f:
                found.extend(int(word) for word in f.read().split())
    except OSError:
        return [stat.pid for stat in all_stats().values() if stat.ppid == pid]
    return found


def bears_mark(pid: int, mark: str) -> bool:
    """Whether the environment that the process was started with holds NEXADIST_MARK=mark. setproctitle and `env -i` hide it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return b"\0NEXADIST_MARK=" + mark.encode() + b"\0" in b"\0" + f.read() + b"\0"
    except OSError:
        return False


def has_pending(pid: int, signum: int) -> bool:
    """Whether the signal was sent to the process and has not been taken yet."""
    try:
        with open(f"/proc/{pid}/status", "rb") as f:
            masks = [int(line.split()[1], 16) for line in f if line.startswith((b"SigPnd:", b"ShdPnd:"))]
    except (OSError, ValueError, IndexError):
        return False
    return any(mask >> (signum - 1) & 1 for mask in masks)


_libc: ctypes.CDLL | None = None


def libc() -> ctypes.CDLL:
    """The C library of this Python."""
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    return _libc


def _syscall(number: int, *args: int) -> int:
    result: int = libc().syscall(ctypes.c_long(number), *(ctypes.c_long(arg) for arg in args))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def become_subreaper() -> bool:
    """Orphans among our descendants become our children from now on. False where it cannot be had."""
    try:
        return bool(libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def open_pidfd(pid: int, start: int) -> int | None:
    """A descriptor of this very process; None: it is gone, or the kernel has no pidfds (before 5.3)."""
    try:
        opener = getattr(os, "pidfd_open", None)
        fd: int = opener(pid) if opener else _syscall(_SYS_PIDFD_OPEN, pid, 0)
    except OSError:
        return None
    os.set_inheritable(fd, False)
    stat = read_stat(pid)  # after opening, so that the number cannot have changed hands in between
    if stat is None or stat.start != start:
        os.close(fd)
        return None
    return fd


def send(pid: int, start: int, signum: int) -> bool:
    """Signals this very process and never another; False: it was gone (or is not ours to signal)."""
    if pid <= 1 or pid == os.getpid() or not is_alive(pid, start):
        return False
    fd = open_pidfd(pid, start)
    try:
        if fd is None:
            if not is_alive(pid, start):
                return False
            os.kill(pid, signum)  # no pidfds here: the moment since the look is all that is left to luck
        elif hasattr(signal, "pidfd_send_signal"):
            signal.pidfd_send_signal(fd, signum)
        else:
            _syscall(_SYS_PIDFD_SEND_SIGNAL, fd, signum, 0, 0)
        return True
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.EPERM):
            raise
        return False
    finally:
        if fd is not None:
            os.close(fd)


def exit_status_of(pidfd: int) -> int | None:
    """The wait(2) status of a process that another has reaped already; None where the kernel does not tell."""
    try:
        info = fcntl.ioctl(pidfd, _PIDFD_GET_INFO, struct.pack("Q", _PIDFD_INFO_EXIT) + bytes(56))
    except OSError:
        return None
    if not struct.unpack_from("Q", info)[0] & _PIDFD_INFO_EXIT:
        return None
    return int(struct.unpack_from("i", info, 60)[0])


def split_status(status: int) -> tuple[int | None, str | None, bool]:
    """(exit code, signal name, core dumped) of a wait(2) status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return None, signal.Signals(number).name, os.WCOREDUMP(status)
        except ValueError:
            return None, f"SIG{number}", os.WCOREDUMP(status)  # real-time signals have no name in Python
    return os.WEXITSTATUS(status), None, False
