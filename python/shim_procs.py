"""The processes of an attempt that are known one by one: how each was found, when it ended, what was done to it."""

from __future__ import annotations

import os
import signal
from typing import Callable

from shim_events import Journal
from shim_loop import Loop
from shim_proc import exit_status_of, is_alive, open_pidfd, read_stat, send

# Where the kernel has no pidfds.
_POLL_S = 0.05


class Proc:
    """One process, by pid and start time. Roles: launcher, rank, other (a child of the launcher that never said who it is), leftover."""

    def __init__(self, pid: int, start: int, role: str, rank: int | None = None) -> None:
        self.pid = pid
        self.start = start
        self.role = role
        self.rank = rank
        self.pidfd: int | None = None
        self.has_ended = False  # noticed; `is_gone` may follow later, when its exit status is known
        self.is_gone = False
        self.is_told = False  # SIGTERM given
        self.is_killed = False


class Procs:
    """All known ones; each new one is on the disk before anything is done with it."""

    def __init__(self, loop: Loop, journal: Journal, on_exit: Callable[[Proc, int | None, str], None]) -> None:
        self.known: list[Proc] = []
        self._loop = loop
        self._journal = journal
        self._on_exit = on_exit
        self._reaped: dict[int, int] = {}
        self._is_polling = False

    def record(self, procs: list[Proc]) -> None:
        """To pids.jsonl, for a sweep without this shim."""
        self.known.extend(procs)
        rank = [("null" if p.rank is None else str(p.rank)) for p in procs]
        self._journal.append([f'{{"pid":{p.pid},"start":{p.start},"role":"{p.role}","rank":{r}}}' for p, r in zip(procs, rank)])

    def watch(self, proc: Proc) -> None:
        """From here on its end is noticed."""
        proc.pidfd = open_pidfd(proc.pid, proc.start)
        if proc.pidfd is not None:
            self._loop.on_readable(proc.pidfd, lambda: self._ended(proc))
        elif not is_alive(proc.pid, proc.start):
            self._loop.after(0, lambda: self._ended(proc))
        elif not self._is_polling:
            self._is_polling = True
            self._loop.after(_POLL_S, self._poll)

    def _poll(self) -> None:
        self.check()
        self._loop.after(_POLL_S, self._poll)

    def check(self) -> None:
        """Notices now whatever has ended."""
        for proc in sorted(self.known, key=lambda p: p.role == "launcher"):
            if not proc.has_ended and not is_alive(proc.pid, proc.start):
                self._ended(proc)

    def reap(self) -> None:
        """Takes the status of every ended child: our own, and orphans that came to us as subreaper."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if any(p.pid == pid and not p.has_ended for p in self.known):
                self._reaped[pid] = status
        # A launcher ends after its ranks: whoever reads the events should see it in that order.
        if any(p.role == "launcher" and p.pid in self._reaped for p in self.known):
            self.check()
        for proc in list(self.known):
            if not proc.has_ended and proc.pid in self._reaped:
                self._ended(proc)

    def _ended(self, proc: Proc) -> None:
        if proc.has_ended:
            return
        proc.has_ended = True
        status: int | None
        if proc.pid in self._reaped:
            status, source = self._reaped.pop(proc.pid), "wait"
        else:
            status, source = self._ask_kernel(proc)
        proc.is_gone = True
        if proc.pidfd is not None:
            self._loop.forget(proc.pidfd)
            os.close(proc.pidfd)
            proc.pidfd = None
        self._on_exit(proc, status, source)

    def _ask_kernel(self, proc: Proc) -> tuple[int | None, str]:
        stat = read_stat(proc.pid)
        if stat is not None and stat.start == proc.start:
            if stat.ppid == os.getpid():
                try:
                    pid, status = os.waitpid(proc.pid, os.WNOHANG)
                    if pid == proc.pid:
                        return status, "wait"
                except ChildProcessError:
                    pass
            if stat.is_gone():
                return stat.exit_status, "stat"
        status_of_reaped = exit_status_of(proc.pidfd) if proc.pidfd is not None else None
        return status_of_reaped, "unknown" if status_of_reaped is None else "stat"

    def alive(self, *roles: str) -> list[Proc]:
        """Known, and not ended as far as has been noticed."""
        return [p for p in self.known if not p.is_gone and p.role in roles]

    def tell(self, proc: Proc) -> None:
        """SIGTERM, once: many programs take a second one as an order to leave without saving."""
        if not proc.is_told and send(proc.pid, proc.start, signal.SIGTERM):
            proc.is_told = True

    def kill(self, proc: Proc) -> None:
        """SIGKILL; needs no thaw."""
        if send(proc.pid, proc.start, signal.SIGKILL):
            proc.is_killed = True
