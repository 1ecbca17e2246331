"""Ends an attempt whose shim is gone, and prints the receipt: what remains to go by is its cgroup, the recorded pids and the mark."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import shim_gpu
from shim_ending import Ending
from shim_events import Journal, read_lines
from shim_lock import Locked, take_lock
from shim_loop import Loop
from shim_proc import become_subreaper, is_alive
from shim_procs import Proc, Procs


def sweep(arm_path: str, grace_ms: int | None) -> int:
    """Without a grace, that of the launch. Exit status 1 and no receipt when the shim lives. SIGTERM means: no more grace."""
    with open(arm_path, encoding="utf-8") as f:
        arm: dict[str, Any] = json.load(f)
    directory: str = arm["dir"]
    try:
        take_lock(arm)
    except Locked as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 1
    proofs = ["pids", "mark"]
    try:
        records, is_whole = read_lines(os.path.join(directory, "pids.jsonl"))
    except OSError:
        records, is_whole = [], False
    if not is_whole:
        proofs = ["mark"]  # nobody knows all of what was started
    cgroup = next((r["cgroup"] for r in records if "cgroup" in r), None)
    if cgroup is not None:
        proofs.insert(0, "cgroup")
    if grace_ms is None:
        grace_ms = next((r["stopGraceMs"] for r in records if "stopGraceMs" in r), 0)
    loop = Loop()
    become_subreaper()  # nothing of the attempt is below us; harmless, and not claimed
    done: list[dict[str, Any]] = []

    def finish(receipt: dict[str, Any]) -> None:
        def last_word(gpu_memory: int | str) -> None:
            done.append({**receipt, **shim_gpu.receipt_fields(gpu_memory)})
            loop.end()

        shim_gpu.measure(loop, {pid for pid, _ in by_pid} | {p.pid for p in procs.known}, last_word)

    def ended(_proc: Proc, _status: int | None, _source: str) -> None:
        ending.check()

    procs = Procs(loop, Journal(os.path.join(directory, "pids.jsonl")), ended)
    ending = Ending(loop, procs, directory, arm["mark"], lambda *_, **__: None, finish)
    ending.cgroup = cgroup
    ending.proofs = proofs
    by_pid: dict[Any, Proc] = {}
    for r in records:
        if "pid" in r:
            by_pid[(r["pid"], r["start"])] = Proc(r["pid"], r["start"], r["role"], r["rank"])
    procs.known = [p for p in by_pid.values() if is_alive(p.pid, p.start)]
    exited_before = len(by_pid) - len(procs.known)
    for proc in procs.known:
        procs.watch(proc)
    loop.on_signal(signal.SIGTERM, lambda: ending.stop(0, "no more grace"))
    loop.after(0, lambda: ending.stop(int(grace_ms or 0), "the shim is gone"))
    loop.run()
    receipt = {**done[0], "exited": done[0]["exited"] + exited_before}
    sys.stdout.write(json.dumps(receipt) + "\n")
    return 0
