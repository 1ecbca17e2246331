"""Looks at what of ours is on this host: agents, their runs, and what an uninstall would take. Changes nothing."""

from __future__ import annotations

import os
from typing import Any

from host_agent import live_owner, ours
from host_audit import Look, agents_of
from host_clean import code_files, live_attempts, of_entry, others_than, states_here
from host_wire import names_in, read_json, runtime_bases

Json = dict[str, Any]


def runs_of(state: str) -> list[Json]:
    live = {os.path.basename(os.path.dirname(attempt)) for attempt in live_attempts(state)}
    return [{"run": run, "live": run in live} for run in names_in(os.path.join(state, "runs"))]


def agents(request: Json) -> Json:
    """The agents of this user in this boot and these namespaces; `localName` picks those of one entry with transport local."""
    found: list[Json] = []
    for base in runtime_bases():
        for runtime in of_entry(ours(base, None), request):
            owner = read_json(os.path.join(runtime, "agent.pid"))
            if not isinstance(owner.get("pid"), int) or not isinstance(owner.get("bundle"), str):
                continue  # its start is under way, or never came that far
            key = os.path.basename(runtime)
            state = os.path.join(str(read_json(os.path.join(runtime, "host.json")).get("root", "")), "agents", key)
            is_running = live_owner(runtime) is not None
            found.append({"key": key, "pid": owner["pid"], "bundle": owner["bundle"], "running": is_running, "runs": runs_of(state)})
    return {"agents": [*found, *lost_agents(request, {each["pid"] for each in found if each["running"]})]}


def lost_agents(request: Json, known: set[int]) -> list[Json]:
    """Those that no directory names any more: nobody can reach them. They leave by themselves, if they are not stopped."""
    found = agents_of(request, Look())
    return [{"key": key, "pid": pid, "bundle": "", "running": True, "isLost": True, "runs": []} for pid, key in found.items() if pid not in known]


def of_user(run: str) -> list[str]:
    """What an uninstall leaves of a run."""
    scratch = [path for path in read_json(os.path.join(run, "made.json")).get("dirs", []) if any(files for _, _, files in os.walk(path))]
    return scratch + [path for path, is_ours in code_files(run) if not is_ours]


def uninstall_plan(request: Json) -> Json:
    """What `uninstall` with the same request would end, remove and leave."""
    root = str(request["stateDir"])
    states = states_here(request)
    runtimes = [runtime for base in runtime_bases() for runtime in of_entry(ours(base, root), request)]
    runs = [os.path.join(state, "runs", run) for state in states for run in names_in(os.path.join(state, "runs"))]
    users = [path for run in runs for path in of_user(run)]
    others = others_than(states, root)
    shared = [os.path.join(root, name) for name in ("bundles", "node", "blobs") if os.path.isdir(os.path.join(root, name))]
    left = [] if request.get("purge") else users
    return {
        "agents": [os.path.basename(runtime) for runtime in runtimes if live_owner(runtime) is not None],
        "live": sorted({os.path.basename(os.path.dirname(attempt)) for state in states for attempt in live_attempts(state)}),
        "remove": states + runtimes + ([] if others else shared),
        "left": left[:100],
        "leftCount": len(left),
        "otherHosts": others,
    }
