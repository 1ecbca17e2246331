"""Which processes compute on which GPU, as nvidia-smi tells it; what it does not tell is unknown, never nobody."""

from __future__ import annotations

import csv
import os
import subprocess
from typing import Any

from claims import user_name
from shim_gpu import find_program, sees_all_pids

Json = dict[str, Any]

# A driver that is not loaded for good takes a second or two to answer.
_ANSWER_S = 5.0
_PROCESSES = "--query-compute-apps=gpu_uuid,pid,process_name,used_gpu_memory"
_MEMORY = "--query-gpu=uuid,memory.used"
# In a container others' processes are not shown, but their memory is; what the driver itself takes is below that.
_IN_USE_MIB = 2048
# Others' work goes through it: it says nothing about whether the GPU is free.
_SERVERS = ("nvidia-cuda-mps-server", "nvidia-cuda-mps-control")


def ask(query: str) -> tuple[str, str]:
    """What it said, and why it said nothing."""
    path = find_program()
    if path is None:
        return "", "no nvidia-smi"
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    try:
        asked = subprocess.Popen(
            [path, query, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
        )
    except OSError as error:
        return "", f"nvidia-smi: {error.strerror}"
    try:
        out, _ = asked.communicate(timeout=_ANSWER_S)
    except subprocess.TimeoutExpired:
        asked.kill()  # one that is stuck in the driver cannot be killed, and is not waited for
        return "", f"nvidia-smi did not answer within {_ANSWER_S:g} s"
    return (out.decode("utf-8", "replace"), "") if asked.returncode == 0 else ("", "nvidia-smi failed")


def processes(run: str) -> tuple[list[Json], str]:
    """Of others than this run, each with its GPU; and why that is not known. `pid` None: it is not shown here, only the memory that is in use."""
    text, why = ask(_PROCESSES)
    is_whole = sees_all_pids()
    found: list[Json] = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        cells = [cell.strip() for cell in row]
        if len(cells) < 4 or not cells[1].isdigit() or not cells[0]:
            why = why or (f"nvidia-smi said {', '.join(cells)[:100]}" if row else "")
            continue
        pid = int(cells[1])
        name = os.path.basename(", ".join(cells[2:-1])) or "a process"
        user = user_of(pid)
        if name in _SERVERS or is_of(pid, run) or (user is None and is_whole):  # the last: it has just ended
            continue
        found.append({"uuid": cells[0], "pid": pid, "process": name[:100], "user": user, "memoryMiB": int(cells[-1]) if cells[-1].isdigit() else None})
    return ([*found, *unseen({process["uuid"] for process in found})] if not why and not is_whole else found), why


def unseen(known: set[str]) -> list[Json]:
    """GPUs whose memory is in use though no process of theirs is shown."""
    rows = [line.rsplit(",", 1) for line in ask(_MEMORY)[0].splitlines()]
    used = {row[0].strip(): int(row[1]) for row in rows if len(row) == 2 and row[1].strip().isdigit()}
    none = {"pid": None, "process": "", "user": None}
    return [{"uuid": uuid, "memoryMiB": mib, **none} for uuid, mib in used.items() if mib >= _IN_USE_MIB and uuid not in known]


def user_of(pid: int) -> str | None:
    """None: it is not shown here, as another container's are not."""
    try:
        return user_name(os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        return None


def is_of(pid: int, run: str) -> bool:
    """What the run has left itself is ended by its own attempts."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            marks = [item for item in f.read().split(b"\0") if item.startswith(b"NEXADIST_MARK=")]
    except OSError:
        return False
    return any(f"/{run}/".encode() in mark for mark in marks)
