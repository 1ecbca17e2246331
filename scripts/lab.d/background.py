"""A process that outlives the command, in namespaces of its own; it reports once, by a pipe."""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from typing import Callable, NoReturn

from kernel import set_process_name, unshare
from problem import Problem
from process import start_of

START_WITHIN_S = 20.0


class Background:
    """The other end of a started process: its PID here, and what it says."""

    def __init__(self, pid: int, says: int, hears: int) -> None:
        self.pid = pid
        self._says = says
        self._hears = hears

    def go(self) -> None:
        os.write(self._hears, b"g")
        os.close(self._hears)

    def wait_ready(self, who: str) -> str:
        """Returns its start time, or raises with its last words."""
        text = b""
        deadline = time.monotonic() + START_WITHIN_S
        # Up to "ready" and not to the end of the pipe: a child of the process may hold that open.
        while text != b"ready" and select.select([self._says], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(self._says, 65536)
            if not chunk:
                break
            text += chunk
        os.close(self._says)
        start = start_of(self.pid)
        if text != b"ready" or start is None:
            raise Problem(f"{who} did not start: {text.decode(errors='replace').strip() or 'it died or hangs'}")
        return start


def start_background(name: str, namespaces: int, log: str, prepare: Callable[[], None], live: Callable[[], NoReturn]) -> Background:
    """`prepare` runs after go() and before the report; `live` never returns. With a new PID namespace it is PID 1 there."""
    says_read, says_write = os.pipe()
    hears_read, hears_write = os.pipe()
    pid_read, pid_write = os.pipe()
    first = os.fork()
    if first == 0:
        try:
            os.setsid()
            unshare(namespaces)
            pid = os.fork()
            if pid != 0:
                os.write(pid_write, str(pid).encode())
                os._exit(0)
            for fd in (says_read, hears_write, pid_read, pid_write):
                os.close(fd)
            run_background(name, log, says_write, hears_read, prepare, live)
        except BaseException:
            os.write(says_write, traceback.format_exc().encode())
        os._exit(1)
    for fd in (says_write, hears_read, pid_write):
        os.close(fd)
    pid_text = os.read(pid_read, 32)
    os.close(pid_read)
    os.waitpid(first, 0)
    if not pid_text:
        raise Problem(f"{name}: {os.read(says_read, 65536).decode(errors='replace')}")
    return Background(int(pid_text), says_read, hears_write)


def run_background(name: str, log: str, says: int, hears: int, prepare: Callable[[], None], live: Callable[[], NoReturn]) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    null = os.open("/dev/null", os.O_RDWR)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, fd in ((0, null), (1, out), (2, out)):
        os.dup2(fd, target)
    # Nothing of the caller may be held open: a pipe that never closes hangs whoever reads it.
    keep = sorted({0, 1, 2, says, hears})
    for low, high in zip(keep, [*keep[1:], 4096]):
        os.closerange(low + 1, high)
    set_process_name(name)
    if os.read(hears, 1) != b"g":
        os._exit(1)
    os.close(hears)
    prepare()
    os.write(says, b"ready")
    os.close(says)
    live()
