"""Processes by identity (PID and start time), so that a reused PID is never touched."""

from __future__ import annotations

import os
import signal
import time
from typing import Callable


def start_of(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat: clock ticks after boot; None when there is no such process or it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def is_alive(pid: int, start: str) -> bool:
    return pid > 0 and start_of(pid) == start


def end(processes: list[tuple[int, str]], within_s: float = 10.0) -> list[int]:
    """SIGKILL, then wait until all are gone; returns those that are not."""
    for pid, start in processes:
        if is_alive(pid, start):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    wait_until(lambda: not any(is_alive(*process) for process in processes), within_s)
    return [pid for pid, start in processes if is_alive(pid, start)]


def wait_until(holds: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def in_namespace(kind: str, of_pid: int) -> list[int]:
    """Every process that shares the namespace `kind` with `of_pid`."""
    wanted = os.stat(f"/proc/{of_pid}/ns/{kind}").st_ino
    found = []
    for pid in all_pids():
        try:
            if os.stat(f"/proc/{pid}/ns/{kind}").st_ino == wanted:
                found.append(pid)
        except OSError:
            continue
    return found


def with_environment(entry: str) -> list[int]:
    """Every process whose initial environment has exactly this NAME=VALUE."""
    wanted = entry.encode()
    found = []
    for pid in all_pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            continue
    return found
