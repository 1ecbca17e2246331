"""Stacks by py-spy, for processes that cannot be asked: it reads their memory from outside, where it is installed and the kernel lets it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

_LIMIT_S = 2.0
_FRAMES_MAX = 60
_THREADS_MAX = 32
_WORD_MAX = 300


def find(pid: int) -> str | None:
    """On our PATH, or beside the Python of that process."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            program = os.fsdecode(f.read().split(b"\0")[0])
    except OSError:
        program = ""
    beside = os.path.join(os.path.dirname(program), "py-spy")
    if os.path.isabs(program) and os.access(beside, os.X_OK):
        return beside
    return shutil.which("py-spy")


def dump(program: str, pid: int) -> tuple[list[dict[str, Any]], str]:
    """Threads, or why there are none. The process is not paused."""
    argv = [program, "dump", "--nonblocking", "--json", "--pid", str(pid)]
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False, env=environment)
    except (OSError, subprocess.SubprocessError) as error:
        return [], f"py-spy: {error.__class__.__name__}"
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return [], f"py-spy: {lines[0] if lines else done.returncode}"[:_WORD_MAX]
    try:
        return [_thread(one, pid) for one in json.loads(done.stdout)[:_THREADS_MAX]], ""
    except (ValueError, TypeError, KeyError, RecursionError):
        return [], "py-spy: its answer cannot be read"


def _thread(told: dict[str, Any], pid: int) -> dict[str, Any]:
    frames = [
        {"file": str(one.get("filename") or "")[-_WORD_MAX:], "line": max(0, int(one.get("line") or 0)), "fn": str(one.get("name") or "")[:_WORD_MAX]}
        for one in told["frames"][:_FRAMES_MAX]
    ]
    name = str(told.get("thread_name") or "")[:_WORD_MAX]
    return {"isMain": told.get("os_thread_id") == pid or name == "MainThread", "name": name, "frames": frames}
