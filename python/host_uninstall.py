"""Takes everything of nexadist off this host, and looks afterwards: an agent that was started meanwhile goes as well."""

from __future__ import annotations

import os
import shutil
from typing import Any

from host_agent import ours
from host_audit import Look, agents_of
from host_clean import clear_base, clear_root, clear_state, end_attempt, end_holders, live_attempts, of_entry, others_than, states_here, stop_agents
from host_reap import end_all
from host_wire import Failure, runtime_bases

Json = dict[str, Any]
# A controller that dials this host meanwhile may bring an agent back; more often than this it does so on purpose.
ROUNDS = 3


def uninstall(request: Json) -> Json:
    """Hosts that share a home may do this at the same time: each clears its own first and looks for others then, so the last to look finds none."""
    root = str(request["stateDir"])
    removed: dict[str, None] = {}
    left: dict[str, None] = {}
    ended: dict[str, None] = {}
    others: list[str] = []
    for _ in range(ROUNDS):
        states = states_here(request)
        end_runs(states, bool(request.get("force")))
        ended.update(dict.fromkeys(end_agents(request)))
        for state in states:
            left.update(dict.fromkeys(clear_state(state, bool(request.get("purge")))))
        removed.update(dict.fromkeys(states))
        for base in runtime_bases():
            for runtime in of_entry(ours(base, root), request):
                end_holders(runtime)
                shutil.rmtree(runtime, ignore_errors=True)
                removed[runtime] = None
            clear_base(base, [os.path.basename(state) for state in states])
        others = others_than(states, root)
        if not others:
            removed.update(dict.fromkeys(clear_root(root)))
        if not agents_of(request, Look()):
            return {"removed": [*removed], "left": [*left][:100], "leftCount": len(left), "otherHosts": others, "agents": [*ended]}
    raise Failure("AGENT_STUCK", "an agent is started again each time; stop the runs on this host first")


def end_runs(states: list[str], may_end: bool) -> None:
    live = [attempt for state in states for attempt in live_attempts(state)]
    if live and not may_end:
        runs = sorted({os.path.basename(os.path.dirname(attempt)) for attempt in live})
        raise Failure("RUNS_LIVE", f"still running here: {', '.join(runs)}; stop them first")
    stuck = [attempt for attempt in live if not end_attempt(attempt)]
    if stuck:
        raise Failure("RUNS_LIVE", f"could not be ended: {', '.join(stuck)}")


def end_agents(request: Json) -> list[str]:
    """Keys of those ended: by their locks, then those that no directory names any more."""
    stopped = stop_agents({"stateDir": request["stateDir"], "localName": request.get("localName")})
    look = Look()
    lost = agents_of(request, look)
    gone = end_all([look.stats[pid] for pid in lost])
    alive = [key for pid, key in lost.items() if (pid, look.stats[pid].start) not in gone]
    if stopped["stuck"] or alive:
        raise Failure("AGENT_STUCK", f"agents that do not leave: {', '.join([*stopped['stuck'], *alive])}")
    return [*stopped["ended"], *lost.values()]
