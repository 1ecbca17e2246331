"""GPU memory that processes of the attempt still hold when it is over, as nvidia-smi tells it; unknown is never zero."""

from __future__ import annotations

import os
import signal
from typing import Any, Callable

from shim_loop import Loop
from shim_proc import all_stats, descendants, send

# A driver that is not loaded for good takes a second or two to answer; one that hangs is not waited for.
_ANSWER_S = 5.0
# "ok" tells an empty list from a program that failed: this child's exit status is reaped with everyone else's.
_QUERY = '"$0" --query-compute-apps=pid,used_gpu_memory --format=csv,noheader,nounits && echo ok'
# Inode of the machine's first pid namespace (include/linux/proc_ns.h).
_FIRST_PID_NAMESPACE = 0xEFFFFFFC


def find_program() -> str | None:
    """nvidia-smi."""
    places = [*os.environ.get("PATH", "").split(":"), "/usr/bin", "/usr/local/bin", "/usr/lib/wsl/lib"]
    return next((path for path in (os.path.join(place, "nvidia-smi") for place in places if place) if os.access(path, os.X_OK)), None)


def sees_all_pids() -> bool:
    """Only there are nvidia-smi's pids our pids."""
    return os.stat("/proc/self/ns/pid").st_ino == _FIRST_PID_NAMESPACE


def held_by(pids: set[int], text: str, is_first_namespace: bool, exists: Callable[[int], bool]) -> int | str:
    """MiB in use by the pids; or why that is unknown, where a row (or the lack of one) cannot be attributed."""
    total = 0
    lines = text.splitlines()
    if not lines or lines.pop() != "ok":
        return "nvidia-smi failed"
    # In a container the list is empty, or its pids are the machine's: neither says anything about ours.
    if not is_first_namespace:
        return "nvidia-smi counts by pids of another namespace"
    for line in lines:
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 2 or not fields[0].isdigit():
            return "nvidia-smi lists no processes"
        pid = int(fields[0])
        if pid in pids:
            if not fields[1].isdigit():
                return "nvidia-smi gives no memory per process"
            total += int(fields[1])
        elif not exists(pid):
            return f"nvidia-smi names pid {pid}, which is not here"
    return total


def receipt_fields(answer: int | str) -> dict[str, Any]:
    """The answer as the receipt has it: unknown is null, with its reason beside it."""
    return {"gpuMemoryMiB": answer} if isinstance(answer, int) else {"gpuMemoryMiB": None, "gpuMemoryWhy": answer}


def measure(loop: Loop, pids: set[int], on_known: Callable[[int | str], None]) -> None:
    """Asks without holding up the loop, and answers once: MiB, or why unknown."""
    program = find_program()
    if program is None:
        on_known("no nvidia-smi")
        return
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDWR)
            for target, fd in enumerate((null, writer, null)):
                os.dup2(fd, target)
            os.execv("/bin/sh", ["sh", "-c", _QUERY, program])
        finally:
            os._exit(127)
    os.close(writer)
    text = b""
    is_over = False

    def finish(answer: int | str) -> None:
        nonlocal is_over
        if not is_over:
            is_over = True
            loop.forget(reader)
            os.close(reader)
            on_known(answer)

    def read() -> None:
        nonlocal text
        chunk = os.read(reader, 65536)
        text += chunk
        if not chunk:
            finish(held_by(pids, text.decode("utf-8", "replace"), sees_all_pids(), lambda pid: os.path.exists(f"/proc/{pid}")))

    def give_up() -> None:
        if not is_over:
            stats = all_stats()
            for pid in (child, *descendants([child], stats)):
                if pid in stats:
                    send(pid, stats[pid].start, signal.SIGKILL)
            finish(f"nvidia-smi did not answer within {_ANSWER_S:g} s")

    loop.on_readable(reader, read)
    loop.after(_ANSWER_S, give_up)
