"""Starts a process of an attempt: forked, held at a gate until its pid is on the disk, then exec'ed with nothing inherited."""

from __future__ import annotations

import os
import signal
from typing import Any, NamedTuple

import shim_cgroup
from shim_proc import read_stat


class Held(NamedTuple):
    """A forked child that waits; should the shim die first it ends without having done anything."""

    pid: int
    start: int
    gate_fd: int
    error_fd: int


def log_name(spawn: dict[str, Any]) -> str:
    """Name of its log files, without the ending."""
    return "launcher" if spawn["role"] == "launcher" else f"rank{spawn['rank']}"


def fork(spawn: dict[str, Any], directory: str, mark: str, cgroup: str | None, umask: int) -> Held:
    """Makes the child and its log files. Raises OSError where a file or a process cannot be had."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    base = os.path.join(directory, log_name(spawn))
    fds = [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)]
    try:
        fds.append(os.open(base + ".out", flags, 0o600))
        fds.append(os.open(base + ".err", flags, 0o600))
        gate, gate_fd = os.pipe2(os.O_CLOEXEC)
        error_fd, report = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                os.close(gate_fd)
                _become(spawn, fds, gate, mark, cgroup, umask, report)
            finally:
                os._exit(127)
        os.close(gate)
        os.close(report)
    finally:
        for fd in fds:
            os.close(fd)
    stat = read_stat(pid)  # our own unreaped child: always there
    return Held(pid, stat.start if stat else 0, gate_fd, error_fd)


def _become(spawn: dict[str, Any], fds: Any, gate: int, mark: str, cgroup: str | None, umask: int, report: int) -> None:
    try:
        os.setsid()
        if os.read(gate, 1) != b"g":
            os._exit(127)
        if cgroup:
            shim_cgroup.join(cgroup)
        for signum in signal.valid_signals():
            if signum not in (signal.SIGKILL, signal.SIGSTOP) and signal.getsignal(signum) != signal.SIG_DFL:
                signal.signal(signum, signal.SIG_DFL)  # Python ignores SIGPIPE and SIGXFSZ, and an exec keeps what is ignored
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.umask(umask)
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        os.chdir(spawn["cwd"])
        env = {**spawn["env"], "NEXADIST_MARK": mark}
        try:
            os.execvpe(spawn["argv"][0], spawn["argv"], env)
        except OSError as error:
            os.write(report, (error.strerror or str(error)).encode())  # the reader knows argv[0]; the error names the last place on the PATH
    except BaseException as error:
        os.write(report, _in_words(error).encode("utf-8", "replace"))


def _in_words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)


def release(held: Held) -> None:
    """Opens the gate."""
    os.write(held.gate_fd, b"g")
    os.close(held.gate_fd)


def exec_error(held: Held) -> str:
    """Why the program could not be run; "" when it runs. Waits until one is known."""
    text = b""
    while True:
        chunk = os.read(held.error_fd, 4096)
        if not chunk:
            break
        text += chunk
    os.close(held.error_fd)
    return text.decode("utf-8", "replace")
