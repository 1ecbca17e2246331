"""The shim's event loop: descriptors, timers and signals, in one thread; a bug in one handler is logged and never ends the loop."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import signal
import time
import traceback
from typing import Any, Callable

Handler = Callable[[], None]


def log(text: str) -> None:
    """One line into shim.log (stderr of the daemon); lost when the disk is full, which must stop nothing."""
    try:
        os.write(2, f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass


class Loop:
    """Runs handlers until told to end."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Handler]] = []
        self._order = itertools.count()
        self._running = True
        self._signal_handlers: list[tuple[int, Handler]] = []

    def on_readable(self, fd: Any, handler: Handler) -> None:
        """Calls the handler whenever the descriptor has something (a pidfd: its process ended)."""
        self._selector.register(fd, selectors.EVENT_READ, handler)

    def set_writing(self, fd: Any, handler: Handler, is_writing: bool) -> None:
        """The same handler is called for both directions."""
        self._selector.modify(fd, selectors.EVENT_READ | (selectors.EVENT_WRITE if is_writing else 0), handler)

    def forget(self, fd: Any) -> None:
        """Stops watching; the descriptor stays open."""
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            pass

    def after(self, delay_s: float, handler: Handler) -> None:
        """Calls the handler once. There is no cancelling: handlers look whether they still matter."""
        heapq.heappush(self._timers, (time.monotonic() + max(0.0, delay_s), next(self._order), handler))

    def on_signal(self, signum: int, handler: Handler) -> None:
        """Calls the handler from the loop, not from inside whatever the signal interrupts."""
        if not self._signal_handlers:
            reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            self.on_readable(reader, lambda: self._take_signals(reader))
        self._signal_handlers.append((signum, handler))
        signal.signal(signum, lambda *_: None)

    def _take_signals(self, reader: int) -> None:
        came = set(os.read(reader, 4096))
        for signum, handler in self._signal_handlers:
            if signum in came:
                self._guard(handler)

    def end(self) -> None:
        """The loop returns after the handler that runs now."""
        self._running = False

    def run(self) -> None:
        """Until `end`."""
        while self._running:
            timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, _ in self._selector.select(timeout):
                if self._selector.get_map().get(key.fd) is key:  # an earlier handler may have dropped it
                    self._guard(key.data)
            now = time.monotonic()
            while self._running and self._timers and self._timers[0][0] <= now:
                self._guard(heapq.heappop(self._timers)[2])

    def _guard(self, handler: Handler) -> None:
        try:
            handler()
        except Exception:
            log("internal error, going on:\n" + traceback.format_exc())
