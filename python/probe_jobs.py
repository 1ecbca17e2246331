"""Many programs and functions at once, each with a deadline and bounded output; what cannot be killed is given up, never waited for."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from typing import Any, Callable

Json = dict[str, Any]

# Bytes kept of an answer; a longer one is marked, so that no judge takes it for whole.
OUT_MAX = 512 * 1024
ERR_MAX = 16 * 1024


class Job:
    """One child, with a pipe for each stream."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.begun = time.monotonic()
        self.deadline = self.begun + seconds
        self.seconds = seconds
        self.pid = 0
        self.code: int | None = None
        self.why = ""
        self.ended = 0.0
        self.texts: dict[int, bytearray] = {}
        self.out = bytearray()
        self.err = bytearray()

    def open(self, out: int, err: int) -> None:
        self.texts = {out: self.out, err: self.err}
        for fd in self.texts:
            os.set_blocking(fd, False)

    def read(self, fd: int) -> bool:
        """False at the stream's end."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        kept = self.texts[fd]
        room = (OUT_MAX if kept is self.out else ERR_MAX) - len(kept)
        kept += data[: max(0, room)]
        if len(data) > room and kept is self.out:
            self.why = f"only the first {OUT_MAX} bytes were kept"
        return bool(data)

    def reap(self) -> bool:
        if self.code is not None or self.pid == 0:
            return True
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            self.why = self.why or "its exit status is unknown"
            self.pid = 0
            return True
        if pid == 0:
            return False
        self.code = os.waitstatus_to_exitcode(status)
        return True

    def give_up(self, why: str) -> None:
        """Ends what it can: a process in the driver cannot be killed, and is left alone."""
        self.why = why
        if self.pid > 0 and self.code is None:
            for kill in (os.killpg, os.kill):
                try:
                    kill(self.pid, signal.SIGKILL)
                except OSError:
                    pass
            self.reap()
        self.code = None
        self.pid = 0

    def section(self) -> Json:
        found: Json = {
            "code": None if self.why else self.code,
            "out": self.out.decode("utf-8", "replace"),
            "err": self.err.decode("utf-8", "replace"),
            "ms": round((self.ended - self.begun) * 1000),
        }
        return {**found, "why": self.why} if self.why else found


def start_program(name: str, argv: tuple[str, ...], seconds: float, env: dict[str, str]) -> Job:
    job = Job(name, seconds)
    out, out_far = os.pipe()
    err, err_far = os.pipe()
    try:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out_far, stderr=err_far, cwd="/", env=env, start_new_session=True)
        job.pid = child.pid
        child.returncode = 0  # it is waited for here, and by nobody else
    except FileNotFoundError:
        job.why = f"{argv[0]} is not there"
    except OSError as error:
        job.why = f"{argv[0]} could not be started: {error.strerror}"
    finally:
        os.close(out_far)
        os.close(err_far)
    job.open(out, err)
    return job


def start_function(name: str, act: Callable[[], str], seconds: float) -> Job:
    """In a child of its own: a file of a dead mount blocks that child and nobody else. What it raises is its error text, with exit status 1."""
    job = Job(name, seconds)
    out, out_far = os.pipe()
    err, err_far = os.pipe()
    job.pid = os.fork()
    if job.pid == 0:
        code = 1
        try:
            os.setsid()
            for number in (signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(out_far, 1)
            os.dup2(err_far, 2)
            os.closerange(3, 256)
            try:
                text, code = act(), 0
            except Exception as error:
                text = ""
                write_all(2, f"{type(error).__name__}: {error}".encode())
            write_all(1, text.encode("utf-8", "replace"))
        finally:
            os._exit(code)
    os.close(out_far)
    os.close(err_far)
    job.open(out, err)
    return job


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def run_all(jobs: list[Job], end: float, on_input: Callable[[], bool]) -> dict[str, Json]:
    """Reads all until they ended or their time is over. `on_input` is called when fd 0 has something; False: nobody waits for the answer."""
    watched = selectors.DefaultSelector()
    watched.register(0, selectors.EVENT_READ, None)
    for job in jobs:
        for fd in job.texts:
            watched.register(fd, selectors.EVENT_READ, job)
    left = list(jobs)
    open_fds = {job.name: set(job.texts) for job in jobs}
    is_wanted = True

    def close(job: Job, fd: int) -> None:
        watched.unregister(fd)
        os.close(fd)
        open_fds[job.name].discard(fd)

    while left and is_wanted:
        now = time.monotonic()
        wait = min([end, *(job.deadline for job in left)]) - now
        # A child that closed its streams may end a little later.
        nearly = any(not open_fds[job.name] for job in left)
        for key, _ in watched.select(max(0.0, min(wait, 0.02 if nearly else wait))):
            job = key.data
            if job is None:
                is_wanted = on_input()
            elif not job.read(key.fd):
                close(job, key.fd)
        now = time.monotonic()
        for job in list(left):
            is_over = not open_fds[job.name] and job.reap()
            if not is_over and now >= min(end, job.deadline):
                job.give_up(f"no answer within {min(job.deadline, end) - job.begun:.0f} s")
                is_over = True
            if is_over:
                job.ended = time.monotonic()
                for fd in list(open_fds[job.name]):
                    close(job, fd)
                left.remove(job)
    for job in left:
        job.give_up("nobody waits for it")
    watched.close()
    return {job.name: job.section() for job in jobs}
