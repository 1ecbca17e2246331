"""How an attempt ends: TERM to the ranks behind a frozen launcher, grace, KILL, the launcher last, then a sweep and the receipt."""

from __future__ import annotations

import signal
import time
from typing import Any, Callable

import shim_cgroup
import shim_leftovers
from shim_launcher_text import read_tail, told_in
from shim_loop import Loop, log
from shim_proc import Stat, children_of, has_pending, read_stat, send
from shim_procs import Proc, Procs

# A process that survives SIGKILL this long is stuck in the kernel: it is named, not waited for.
_KILL_WAIT_S = 5.0
# Daemons that the program itself left behind get this much of the grace. What is still in the session of a rank that was told to stop has all of it:
# a shell around the user's program dies of SIGTERM at once, and the program that saves is its child.
_LEFTOVER_GRACE_S = 5.0
# A look at all of /proc costs milliseconds; while something takes its time, looks become rarer.
_SCAN_S = 0.05
_SLOWEST_SCAN_S = 0.5
# Turns given to a launcher that has noticed a failure, so that it delivers its own SIGTERMs; its 30 s until SIGKILL stay far away.
_TURN_S = 0.05
_MAX_TURNS = 4


class Ending:
    """Phases: None, term, kill, launcher, leftovers, leftovers-kill, done."""

    def __init__(self, loop: Loop, procs: Procs, directory: str, mark: str, emit: Callable[..., None], on_done: Callable[[dict[str, Any]], None]) -> None:
        self.phase: str | None = None
        self.cgroup: str | None = None
        self.proofs: list[str] = ["pids", "mark"]
        self.spared: Callable[[], set[int]] = set
        self._loop = loop
        self._procs = procs
        self._directory = directory
        self._mark = mark
        self._emit = emit
        self._on_done = on_done
        self._deadline = 0.0
        self._grace_s = 0.0
        self._daemon_deadline = 0.0
        self._scan_s = _SCAN_S
        self._is_telling = False  # the launcher is still being given its turns

    def stop(self, grace_ms: int, why: str, failed: Proc | None = None) -> None:
        """Begins; or, when it has begun, shortens the grace."""
        deadline = time.monotonic() + grace_ms / 1000
        if self.phase is not None:
            if self.phase in ("term", "leftovers") and deadline < self._deadline:
                self._emit("stopping", why=why, graceMs=grace_ms)
                self._deadline = deadline
                self._daemon_deadline = min(self._daemon_deadline, deadline)
                self._grace_s = grace_ms / 1000
                self._loop.after(grace_ms / 1000, self._on_time)
            return
        self.phase = "term"
        self._deadline = deadline
        self._grace_s = grace_ms / 1000
        self.freeze()
        self._emit("stopping", why=why, graceMs=grace_ms)
        self._loop.after(grace_ms / 1000, self._on_time)
        self._adopt_unknown()
        if failed is not None and self._procs.alive("rank", "other") and self._has_noticed(failed):
            self._is_telling = True
            self._give_turn(set(), 0)
        else:
            self._tell_all()

    def sweep(self, grace_ms: int) -> None:
        """After a natural end: only what the program left behind."""
        if self.phase is None:
            self._grace_s = grace_ms / 1000
            self._sweep()

    def freeze(self) -> None:
        """torchrun's own failure path kills ranks that save after 30 s, whatever it was told; a stopped one cannot."""
        for launcher in self._procs.alive("launcher"):
            if not send(launcher.pid, launcher.start, signal.SIGSTOP):
                continue
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                stat = read_stat(launcher.pid)
                if stat is None or stat.state in "TtZX":
                    break
                time.sleep(0.001)

    def _has_noticed(self, failed: Proc) -> bool:
        """Whether the launcher has reaped the failed rank, and so is about to signal its siblings or has."""
        if not self._procs.alive("launcher"):
            return False
        stat = read_stat(failed.pid)
        return stat is None or stat.start != failed.start

    def _give_turn(self, told_before: set[int], turn: int) -> None:
        told = told_in(read_tail(self._directory))
        if self.phase != "term":
            return
        # Torchrun writes the line and then signals, one worker after the other: a set that a whole turn left alone was all delivered.
        if turn >= _MAX_TURNS or (turn > 0 and told and told == told_before):
            self._is_telling = False
            for proc in self._procs.alive("rank", "other"):
                if proc.pid in told or has_pending(proc.pid, signal.SIGTERM):
                    proc.is_told = True
            self._tell_all()
            return
        for launcher in self._procs.alive("launcher"):
            send(launcher.pid, launcher.start, signal.SIGCONT)

        def freeze_again() -> None:
            self.freeze()
            self._give_turn(told, turn + 1)

        self._loop.after(_TURN_S, freeze_again)

    def _tell_all(self) -> None:
        self._adopt_unknown()
        for proc in self._procs.alive("rank", "other"):
            self._procs.tell(proc)
        self.check()

    def _adopt_unknown(self) -> None:
        """Ranks that had not yet reached their prologue's word to us are children of the launcher."""
        known = {p.pid for p in self._procs.known if not p.is_gone}
        found: list[Proc] = []
        for launcher in self._procs.alive("launcher"):
            for pid in children_of(launcher.pid):
                stat = read_stat(pid)
                if pid not in known and stat is not None and stat.ppid == launcher.pid and not stat.is_gone():
                    found.append(Proc(pid, stat.start, "other"))
        self._procs.record(found)
        for proc in found:
            self._procs.watch(proc)

    def joined(self, proc: Proc) -> None:
        """A rank said who it is while the attempt is ending."""
        if self.phase == "term" and not self._is_telling:
            self._procs.tell(proc)
        elif self.phase in ("kill", "launcher"):
            self._procs.kill(proc)

    def check(self) -> None:
        """Goes on as soon as everyone who was to end has."""
        if self.phase in ("term", "kill") and not self._is_telling and not self._procs.alive("rank", "other"):
            self._end_launcher()
        elif self.phase == "launcher" and not self._procs.alive("launcher"):
            self._sweep()

    def _on_time(self) -> None:
        if time.monotonic() < self._deadline - 0.001:
            return
        if self.phase == "term":
            self.phase = "kill"
            self._is_telling = False
            self._adopt_unknown()
            for proc in self._procs.alive("rank", "other"):
                self._procs.kill(proc)
            self._loop.after(_KILL_WAIT_S, self._give_up_on("kill", self._end_launcher))
            self.check()

    def _give_up_on(self, phase: str, go_on: Callable[[], None]) -> Callable[[], None]:
        def handler() -> None:
            if self.phase == phase:
                go_on()

        return handler

    def _end_launcher(self) -> None:
        self.phase = "launcher"
        for launcher in self._procs.alive("launcher"):
            self._procs.kill(launcher)
        self._loop.after(_KILL_WAIT_S, self._give_up_on("launcher", self._sweep))
        self.check()

    def _sweep(self) -> None:
        self.phase = "leftovers"
        self._daemon_deadline = time.monotonic() + min(self._grace_s, _LEFTOVER_GRACE_S)
        self._deadline = max(self._deadline, self._daemon_deadline)
        self._scan()

    def _scan(self) -> None:
        """Again and again until a look finds nothing: a process can fork while it is looked for."""
        if self.phase not in ("leftovers", "leftovers-kill"):
            return
        self._procs.reap()
        found = shim_leftovers.find(self._mark, self.cgroup, self._procs.known, self.spared())
        if not found and not shim_leftovers.remains_in(self.cgroup):
            self._finish([])
            return
        now = time.monotonic()
        if self.phase == "leftovers" and now >= self._deadline:
            self.phase = "leftovers-kill"
            self._deadline = now + _KILL_WAIT_S
            self._scan_s = _SCAN_S
        elif self.phase == "leftovers-kill" and now >= self._deadline:
            self._finish(found)
            return
        rank_sessions = {p.pid for p in self._procs.known if p.role in ("rank", "other")}
        for proc, stat in self._as_procs(found):
            if self.phase == "leftovers" and (stat.session in rank_sessions or now < self._daemon_deadline):
                self._procs.tell(proc)
            else:
                self._procs.kill(proc)
        if self.phase == "leftovers-kill" and self.cgroup:
            shim_cgroup.kill(self.cgroup)
        self._scan_s = min(self._scan_s * 1.2, _SLOWEST_SCAN_S)
        self._loop.after(min(self._scan_s, max(_SCAN_S, self._deadline - now)), self._scan)

    def _as_procs(self, stats: list[Stat]) -> list[tuple[Proc, Stat]]:
        known = {(p.pid, p.start): p for p in self._procs.known}
        new = [Proc(s.pid, s.start, "leftover") for s in stats if (s.pid, s.start) not in known]
        self._procs.record(new)
        known.update({(p.pid, p.start): p for p in new})
        return [(known[(s.pid, s.start)], s) for s in stats]

    def _finish(self, left: list[Stat]) -> None:
        self.phase = "done"
        self._procs.check()
        unnamed = not left and shim_leftovers.remains_in(self.cgroup)  # pids of a namespace below that cannot be seen from here
        if self.cgroup and not left and not unnamed:
            shim_cgroup.remove(self.cgroup)
        if left or unnamed:
            log(f"not ended: {[s.pid for s in left]}")
        is_counted = not unnamed and any(p != "mark" for p in self.proofs)
        killed = [p for p in self._procs.known if p.is_killed and p.is_gone]
        receipt = {
            "signalled": sum(p.is_told for p in self._procs.known),
            "exited": sum(p.is_gone and not p.is_killed for p in self._procs.known),
            "killed": len(killed),
            "killedLaunchers": sum(p.role == "launcher" for p in killed),
            "left": len(left) if is_counted else None,
            "leftPids": [{"pid": s.pid, "start": s.start, "comm": s.comm, "why": _why_left(s)} for s in left],
            "proof": self.proofs,
            "gpuMemoryMiB": None,
        }
        self._on_done(receipt)


def _why_left(stat: Stat) -> str:
    if stat.state == "D":
        return "in uninterruptible sleep: the kernel (a driver, a file system) does not let it end"
    try:
        with open(f"/proc/{stat.pid}/status", encoding="utf-8", errors="replace") as f:
            uid = next(line.split()[1] for line in f if line.startswith("Uid:"))
    except (OSError, StopIteration):
        return "unknown"
    return f"runs as uid {uid} in state {stat.state}, and did not end {_KILL_WAIT_S:.0f} s after SIGKILL"
