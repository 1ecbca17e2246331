"""Ends what an audit found left over, after a fresh look: only by (PID, start time), and never what a live run has."""

from __future__ import annotations

import os
import shutil
import signal
import time
from typing import Any

from host_audit import Attempt, Look, agents, attempts, audit, files
from host_clean import end_attempt
from shim_proc import Stat, is_alive, send

Json = dict[str, Any]
# What is left over has had its chance to save; this is for its own children and locks.
GRACE_S = 2.0
KILL_WAIT_S = 5.0
STEP_S = 0.05
# A process can fork while it is looked for.
ROUNDS = 5


def end_left(request: Json) -> Json:
    """`only`: the run and attempt of each that a person was shown. Gives the audit of afterwards, with `ended`."""
    shown = {(item["run"], item["attempt"]) for item in request.get("only", [])}
    ended: set[tuple[int, int]] = set()
    for _ in range(ROUNDS):
        look = Look()
        left = [each for each in attempts(request, look) if each.verdict != "alive" and (each.run, each.attempt) in shown]
        lost = [look.stats[agent["pid"]] for agent in agents(request, look) if agent["isLeft"]]
        if not left and not lost:
            break
        targets = [*lost]
        for each in left:
            targets.extend(end_shim(each))
        ended |= end_all(targets)
    for file in files(request):
        shutil.rmtree(file["path"], ignore_errors=True)
    return {**audit(request), "ended": len(ended)}


def end_shim(attempt: Attempt) -> list[Stat]:
    """Through its shim where that lives: it proves more than we can. What is to be ended by hand comes back, the shim last."""
    if attempt.shim is not None and os.path.exists(os.path.join(attempt.directory, "arm.json")):
        end_attempt(attempt.directory)
    return [*attempt.found.values(), *([attempt.shim] if attempt.shim else [])]


def end_all(targets: list[Stat]) -> set[tuple[int, int]]:
    """TERM, grace, KILL; those that are gone afterwards."""
    begun = time.monotonic()
    for stat in targets:
        send(stat.pid, stat.start, signal.SIGTERM)
        send(stat.pid, stat.start, signal.SIGCONT)
    is_killed = False
    while time.monotonic() - begun < GRACE_S + KILL_WAIT_S:
        alive = [stat for stat in targets if is_alive(stat.pid, stat.start)]
        if not alive:
            break
        if not is_killed and time.monotonic() - begun >= GRACE_S:
            is_killed = True
            for stat in alive:
                send(stat.pid, stat.start, signal.SIGKILL)
        time.sleep(STEP_S)
    return {(stat.pid, stat.start) for stat in targets if not is_alive(stat.pid, stat.start)}
