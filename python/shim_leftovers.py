"""Everything of an attempt that is alive, found in every way there is: cgroup, descent, recorded pids, mark."""

from __future__ import annotations

import os
from collections.abc import Iterable

import shim_cgroup
from shim_proc import Stat, all_stats, bears_mark, descendants
from shim_procs import Proc


def find(mark: str, cgroup: str | None, recorded: Iterable[Proc], spared: set[int]) -> list[Stat]:
    """Live processes of the attempt. `spared` are pids that are never of it, such as agents that talk to us."""
    stats: dict[int, Stat] = all_stats()
    recorded_alive = {p.pid for p in recorded if p.pid in stats and stats[p.pid].start == p.start}
    found = set(recorded_alive)
    found |= descendants([os.getpid(), *recorded_alive], stats)
    if cgroup:
        found |= set(shim_cgroup.pids(cgroup))
    found |= {pid for pid in stats if pid not in found and bears_mark(pid, mark)}
    found -= spared | {os.getpid(), 0, 1}
    return [stats[pid] for pid in sorted(found) if pid in stats and not stats[pid].is_gone()]


def remains_in(cgroup: str | None) -> bool:
    """Whether the cgroup still has processes, nameable or not."""
    return cgroup is not None and os.path.isdir(cgroup) and bool(shim_cgroup.pids(cgroup))
