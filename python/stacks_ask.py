"""Asks the Pythons of a rank for their stacks: inside.py left each a file without a name and two signals. A process that lacks either is not signalled."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from shim_proc import read_stat, send

# As in inside.py, which cannot be imported: it is a sitecustomize.
STACK_OF_MAIN = 51
STACKS_OF_ALL = 52
FILE_NAME = "nexadist-stacks"

# Frames of threads that run are no safe reading: all threads are asked for only below this, in CPUs.
_IDLE_CPUS = 0.02
_ROUND_S = 1.5
_SETTLE_S = 0.03
_READ_MAX = 256 * 1024
_FRAMES_MAX = 60
_THREADS_MAX = 32
_WORD_MAX = 300

_FRAME = re.compile(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$')
_HEAD = re.compile(r"^(Current thread|Thread|Stack)\b(?:[^\[]*\[(.*)\])?.*\(most recent call first\)")


def file_of(pid: int) -> tuple[str, int] | None:
    """Path under /proc and inode of the nameless file; None: the process has none that it would write to."""
    base = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(base):
            path = f"{base}/{name}"
            try:
                if FILE_NAME in os.readlink(path):
                    return path, os.stat(path).st_ino
            except OSError:
                continue
    except OSError:
        pass
    return None


def handles(pid: int, signum: int) -> bool:
    """Whether the signal is caught and not held back; otherwise it would end the process."""
    try:
        with open(f"/proc/{pid}/status", "rb") as f:
            masks = {line.split(b":")[0]: int(line.split()[1], 16) for line in f if line.startswith((b"SigCgt:", b"SigBlk:"))}
    except (OSError, ValueError, IndexError):
        return False
    bit = 1 << (signum - 1)
    return bool(masks.get(b"SigCgt", 0) & bit) and not masks.get(b"SigBlk", 0) & bit


def _is_still(pid: int) -> bool:
    """No thread of it is on a CPU or about to be."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", "rb") as f:
                if f.read().rpartition(b")")[2].split()[0] == b"R":
                    return False
    except OSError:
        return False
    return True


class Question:
    """One process and what it answers."""

    def __init__(self, pid: int, start: int, cpus: float) -> None:
        self.pid = pid
        self.start = start
        self.threads: list[dict[str, Any]] = []
        self.why = ""
        self.inode = 0
        self._path = ""
        self._sent_at = 0.0
        self._size = 0
        self._grew_at = 0.0
        stat = read_stat(pid)
        found = file_of(pid)
        if stat is None or stat.start != start:
            self.why = "it is gone"
        elif stat.state in "TtDZX":
            self.why = "it cannot answer in this state"
        elif found is None:
            self.why = "it is no Python that was started with our hook"
        else:
            self._path, self.inode = found
        self._signum = STACKS_OF_ALL if cpus < _IDLE_CPUS and _is_still(pid) else STACK_OF_MAIN

    def may_be_asked(self) -> bool:
        return self.why == ""

    def ask(self) -> None:
        """Sends the signal, if it is still caught and its file still there."""
        try:
            os.truncate(self._path, 0)
        except OSError as error:
            self.why = error.strerror or "its file cannot be opened"
            return
        found = file_of(self.pid)
        if found is None or found[1] != self.inode or not handles(self.pid, self._signum):
            self.why = "it does not listen any more"
        elif not send(self.pid, self.start, self._signum):
            self.why = "it is gone"
        self._sent_at = self._grew_at = time.monotonic()

    def look(self) -> bool:
        """Whether the answer is there, or none will come."""
        if self.why:
            return True
        now = time.monotonic()
        try:
            size = os.stat(self._path).st_size
        except OSError:
            self.why = "it is gone"
            return True
        if size != self._size:
            self._size, self._grew_at = size, now
        if size > 0 and now - self._grew_at >= _SETTLE_S:
            self._read()
            return True
        if now - self._sent_at > _ROUND_S:
            self.why = "it did not answer"
            return True
        return False

    def _read(self) -> None:
        try:
            with open(self._path, "rb") as f:
                text = f.read(_READ_MAX).decode("utf-8", "replace")
            os.truncate(self._path, 0)
        except OSError as error:
            self.why = error.strerror or "its file cannot be read"
            return
        self.threads = parse(text)
        if not self.threads:
            self.why = "it has no Python frames"


def parse(text: str) -> list[dict[str, Any]]:
    """What faulthandler wrote, innermost frame first. The thread that took the signal is the main thread, for the kernel prefers it."""
    threads: list[dict[str, Any]] = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            if len(threads) == _THREADS_MAX:
                break
            threads.append({"isMain": head[1] != "Thread", "name": (head[2] or "")[:_WORD_MAX], "frames": []})
            continue
        frame = _FRAME.match(line)
        if frame is not None and threads and len(threads[-1]["frames"]) < _FRAMES_MAX:
            number = int(frame[2]) if frame[2].isdigit() else 0
            threads[-1]["frames"].append({"file": frame[1][-_WORD_MAX:], "line": number, "fn": frame[3][:_WORD_MAX]})
    return [thread for thread in threads if thread["frames"]]


def ask_all(questions: list[Question], until: float) -> None:
    """Forked processes share one file: of those one at a time; the others at once. `until`: of time.monotonic()."""
    waiting = [one for one in questions if one.may_be_asked()]
    while waiting:
        if time.monotonic() > until:
            for one in waiting:
                one.why = "there was no time left to ask it"
            return
        asked: dict[int, Question] = {}
        for one in waiting:
            asked.setdefault(one.inode, one)
        for one in asked.values():
            one.ask()
        open_ = list(asked.values())
        while open_:
            open_ = [one for one in open_ if not one.look()]
            if open_:
                time.sleep(0.005)
        done = set(map(id, asked.values()))
        waiting = [one for one in waiting if id(one) not in done]
