"""One attempt on one host, from launch to its last event."""

from __future__ import annotations

import json
import os
from typing import Any, Callable

import shim_gpu
import shim_ports
import shim_spawn
from shim_ending import Ending
from shim_events import Events, Journal
from shim_launcher_text import exit_status_in, read_tail, told_in
from shim_loop import Loop, log
from shim_proc import children_of, read_stat, split_status
from shim_procs import Proc, Procs

Message = dict[str, Any]

# How long a rank's exit waits for torchrun's word when the kernel had none.
_UNKNOWN_WAIT_S = 0.3
_UNKNOWN_LOOK_S = 0.02


class Attempt:
    """Its processes and what is to be done when one of them ends."""

    def __init__(self, loop: Loop, arm: Message, events: Events, pids: Journal, held: list[shim_ports.HeldPort], umask: int) -> None:
        self._loop = loop
        self._directory: str = arm["dir"]
        self._mark: str = arm["mark"]
        self._events = events
        self._pids = pids
        self._held = held
        self._umask = umask
        self._is_launched = False
        self._has_launcher = False
        self._grace_ms = 0
        self._launcher_status: int | None = None
        self.procs = Procs(loop, pids, self._on_exit)
        self.ending = Ending(loop, self.procs, self._directory, self._mark, events.emit, self._on_done)
        self.on_ended: Callable[[], None] = lambda: None
        self.release_gpus: Callable[[], None] = lambda: None

    def command(self, message: Message) -> None:
        """A line of an agent. Each command is harmless when it comes again."""
        do = message["do"]
        if do == "launch":
            self._launch(message)
        elif do == "stop":
            self.stop(int(message["graceMs"]), str(message["why"]))
        elif do == "disarm":
            shim_ports.release(self._held)
            if not self._is_launched:
                self.stop(0, "disarmed")
        else:
            raise ValueError("unknown command")

    def stop(self, grace_ms: int | None, why: str) -> None:
        """None: the grace of the launch."""
        if self._is_launched:
            self.ending.stop(self._grace_ms if grace_ms is None else grace_ms, why)
        else:
            self.ending.sweep(0)

    def _launch(self, message: Message) -> None:
        if self._is_launched or self.ending.phase is not None:
            return
        spawns: list[Message] = [s for s in message["spawns"] if isinstance(s["argv"][0], str) and isinstance(s["env"], dict) and isinstance(s["cwd"], str)]
        if len(spawns) != len(message["spawns"]):
            raise ValueError("malformed spawn")
        self._grace_ms = int(message["stopGraceMs"])
        self._is_launched = True
        self._pids.append([json.dumps({"stopGraceMs": self._grace_ms})])
        held: list[tuple[Message, shim_spawn.Held]] = []
        failure: tuple[Message, str] | None = None
        for spawn in spawns:
            try:
                held.append((spawn, shim_spawn.fork(spawn, self._directory, self._mark, self.ending.cgroup, self._umask)))
            except OSError as error:
                failure = (spawn, str(error))
                break
        procs = [Proc(h.pid, h.start, s["role"], s["rank"]) for s, h in held]
        self._has_launcher = any(p.role == "launcher" for p in procs)
        self.procs.record(procs)
        for _, child in held:
            if failure is None:
                shim_spawn.release(child)
            else:
                os.close(child.gate_fd)
        for spawn, child in held:
            text = shim_spawn.exec_error(child)
            if text and failure is None:
                failure = (spawn, text)
        started: list[tuple[str, Message]] = []
        if failure is None:
            pids = [{"role": p.role, "rank": p.rank, "pid": p.pid, "start": p.start} for p in procs]
            started.append(("launched", {"pids": pids}))
        else:
            for proc in procs:
                proc.role = "other"  # none of them was ever a rank: no rank-exited follows
            started.append(("launch-failed", {"text": f"{failure[0]['argv'][0]}: {failure[1]}", "rank": failure[0]["rank"]}))
        for (spawn, _), proc in zip(held, procs):
            if proc.role == "rank" and failure is None:
                started.append(("rank-started", {"rank": proc.rank, "localRank": spawn["localRank"], "pid": proc.pid, "start": proc.start}))
        self._events.emit_all(started)
        for proc in procs:
            self.procs.watch(proc)
        if failure is not None:
            self.ending.stop(0, "launch failed")

    def rank_said_hello(self, pid: int, message: Message) -> None:
        """A prologue under torchrun or accelerate. The pid is the kernel's word; a claimed one could have us signal a stranger."""
        stat = read_stat(pid)
        if stat is None or self.ending.phase == "done":
            return
        known = next((p for p in self.procs.known if p.pid == pid and p.start == stat.start), None)
        if known is not None and known.role == "rank":
            return
        rank = int(message["rank"])
        if known is None:
            known = Proc(pid, stat.start, "rank", rank)
            self.procs.record([known])
        known.role, known.rank = "rank", rank
        self._events.emit("rank-started", rank=rank, localRank=int(message["localRank"]), pid=pid, start=stat.start)
        if known.pidfd is None:
            self.procs.watch(known)
        self.ending.joined(known)

    def _on_exit(self, proc: Proc, status: int | None, source: str) -> None:
        if proc.role == "launcher":
            self._launcher_exited(status)
        elif proc.role == "rank" and status is None:
            proc.is_gone = False  # not before its event: an end would overtake it
            self._ask_launcher(proc, 0.0)
        elif proc.role == "rank":
            self._rank_exited(proc, status, source)
        else:
            self.ending.check()

    def _ask_launcher(self, proc: Proc, waited_s: float) -> None:
        if proc.is_gone:
            return
        text = read_tail(self._directory)
        status = exit_status_in(text, proc.pid)
        if status is None and waited_s < _UNKNOWN_WAIT_S and self.procs.alive("launcher"):
            self._loop.after(_UNKNOWN_LOOK_S, lambda: self._ask_launcher(proc, waited_s + _UNKNOWN_LOOK_S))
            return
        if status is None and self._launcher_status == 0:
            status = 0  # it would not have ended well otherwise
        proc.is_gone = True
        self._rank_exited(proc, status, "unknown" if status is None else "launcher", is_suspect=bool(told_in(text)))

    def _rank_exited(self, proc: Proc, status: int | None, source: str, is_suspect: bool = False) -> None:
        code, name, has_core = (None, None, False) if status is None else split_status(status)
        failed = is_suspect if status is None else status != 0
        must_stop = failed and self.ending.phase is None
        if must_stop:
            self.ending.freeze()  # before the event is on the disk: every millisecond is torchrun's to act in
        self._events.emit("rank-exited", rank=proc.rank, pid=proc.pid, code=code, signal=name, source=source, coreDumped=has_core)
        if must_stop:
            self.ending.stop(self._grace_ms, f"rank {proc.rank} failed", proc)
        elif not self._has_launcher and not self.procs.alive("rank"):
            self.ending.sweep(self._grace_ms)
        self.ending.check()

    def _launcher_exited(self, status: int | None) -> None:
        self._launcher_status = status
        for proc in self.procs.alive("rank"):
            if proc.has_ended:
                self._ask_launcher(proc, 0.0)
        code, name, _ = (None, None, False) if status is None else split_status(status)
        self._events.emit("launcher-exited", code=code, signal=name)
        if self.ending.phase is None:
            self._adopt_orphans()
            if self.procs.alive("rank", "other"):
                self.ending.stop(self._grace_ms, "launcher died" if name else "launcher ended before its ranks")
            else:
                self.ending.sweep(self._grace_ms)
        self.ending.check()

    def _adopt_orphans(self) -> None:
        """Ranks that had not said hello when their launcher died are children of ours now (where we are subreaper)."""
        known = {p.pid for p in self.procs.known if not p.is_gone}
        stats = [read_stat(pid) for pid in children_of(os.getpid()) if pid not in known]
        found = [Proc(s.pid, s.start, "other") for s in stats if s is not None and not s.is_gone()]
        self.procs.record(found)
        for proc in found:
            self.procs.watch(proc)

    def note_orphans(self) -> None:
        """Daemonised children come to us as subreaper; written down, they can be found even if this shim is killed."""
        if self.ending.phase is None and self._is_launched:
            known = {p.pid for p in self.procs.known if not p.is_gone}
            stats = [read_stat(pid) for pid in children_of(os.getpid()) if pid not in known]
            self.procs.record([Proc(s.pid, s.start, "leftover") for s in stats if s is not None and not s.is_gone()])

    def _on_done(self, receipt: Message) -> None:
        shim_ports.release(self._held)

        def last_word(gpu_memory: int | str) -> None:
            whole = {**receipt, **shim_gpu.receipt_fields(gpu_memory)}
            self.release_gpus()  # before the word that it is over: who hears it may want them
            self._events.emit("ended", receipt=whole)
            log(f"ended: {json.dumps(whole)}")
            self.on_ended()

        if self._is_launched:
            shim_gpu.measure(self._loop, {p.pid for p in self.procs.known}, last_word)
        else:
            last_word(0)  # nothing was started that could hold any
