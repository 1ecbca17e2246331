"""Looks at everything of ours that is alive on this host, by every record and mark there is, and says of which run it is and whether it is left over."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import shim_cgroup
from host_agent import agent_key, live_owner
from host_clean import is_held, is_of_this_host
from host_wire import boot_id, names_in, namespaces, read_json, read_text, runtime_bases
from shim_proc import Stat, all_stats, descendants

Json = dict[str, Any]
MANY = 500


class Attempt(NamedTuple):
    """One attempt that has a directory here, or whose shim has outlived it."""

    run: str
    attempt: int
    directory: str
    shim: Stat | None
    found: dict[int, Stat]
    verdict: str
    why: str


class Look:
    """What /proc shows of this user's processes in this PID namespace, once. Others' are not looked at, and never touched."""

    def __init__(self) -> None:
        self.stats = {pid: stat for pid, stat in all_stats().items() if not stat.is_gone() and is_ours(pid)}
        ancestors = set[int]()
        pid = os.getpid()
        while pid > 1 and pid not in ancestors:
            ancestors.add(pid)
            stat = self.stats.get(pid)
            pid = stat.ppid if stat is not None else 0
        self.spared = ancestors | {0, 1}
        self.argv = {pid: argv_of(pid) for pid in self.stats}
        self.marks = {pid: mark for pid in self.stats if (mark := mark_of(pid)) is not None}


def is_ours(pid: int) -> bool:
    """This user's, and not of a container whose processes are only visible from here."""
    for line in read_text(f"/proc/{pid}/status").splitlines():
        if line.startswith("Uid:"):
            uids = line.split()[1:4]
            break
    else:
        return False
    try:
        return set(uids) == {str(os.getuid())} and os.stat(f"/proc/{pid}/ns/pid").st_ino == namespaces()[0]
    except OSError:
        return False


def argv_of(pid: int) -> list[str]:
    return read_text(f"/proc/{pid}/cmdline").split("\0")[:-1]


def mark_of(pid: int) -> str | None:
    for item in read_text(f"/proc/{pid}/environ").split("\0"):
        if item.startswith("NEXADIST_MARK="):
            return item.partition("=")[2]
    return None


def roots(state_dir: str) -> list[str]:
    """State directories of this user that anything here knows of."""
    known = {os.path.abspath(state_dir)}
    for base in runtime_bases():
        for name in names_in(base):
            root = read_json(os.path.join(base, name, "host.json")).get("root")
            if isinstance(root, str) and os.path.isabs(root):
                known.add(os.path.abspath(root))
    return sorted(known)


def is_program(argv: list[str], name: str) -> str | None:
    """The directory of the bundle that `name` was started from: ROOT/bundles/HASH/NAME and no other file of that name."""
    for word in argv[1:6]:
        directory, _, file = word.rpartition("/")
        parent, _, bundle = directory.rpartition("/")
        if file == name and parent.endswith("/bundles") and len(bundle) == 64 and set(bundle) <= set("0123456789abcdef"):
            return directory
    return None


def shims(look: Look) -> dict[str, Stat]:
    """Directory of an attempt to its live shim, by what each was started with; a sweep is none."""
    found: dict[str, Stat] = {}
    for pid, argv in look.argv.items():
        if argv and is_program(argv, "shim.py") and os.path.basename(argv[-1]) == "arm.json" and "--sweep" not in argv and pid not in look.spared:
            found.setdefault(os.path.dirname(argv[-1]), look.stats[pid])
    return found


def attempt_directories(state_dir: str, local_name: str | None) -> Iterator[str]:
    for root in roots(state_dir):
        for state in sorted(glob.glob(os.path.join(glob.escape(root), "agents", "*"))):
            entry = read_json(os.path.join(state, "host.json")).get("localName")
            if is_of_this_host(state) and (local_name is None or entry in (local_name, None)):
                yield from sorted(glob.glob(os.path.join(glob.escape(state), "runs", "*", "a[0-9]*")))


def number_of(directory: str) -> int:
    name = os.path.basename(directory)[1:]
    return int(name) if name.isdigit() else 0


def records_in(path: str) -> list[Json]:
    """Whole lines; a torn last one is left out."""
    found: list[Json] = []
    for line in read_text(path).splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def members(directory: str, shim: Stat | None, look: Look) -> dict[int, Stat]:
    """The attempt's live processes, less its shim: recorded ones by PID and start time, its cgroup, what descends from those, and its very mark."""
    records = records_in(os.path.join(directory, "pids.jsonl"))
    known = {(r.get("pid"), r.get("start")) for r in records}
    found = {pid for pid, stat in look.stats.items() if (pid, stat.start) in known}
    for record in records:
        if isinstance(record.get("cgroup"), str) and "nexadist-" in os.path.basename(record["cgroup"]):
            found |= set(shim_cgroup.pids(record["cgroup"]))
    found |= descendants([*found, *([shim.pid] if shim else [])], look.stats)
    mark = read_json(os.path.join(directory, "arm.json")).get("mark")
    found |= {pid for pid, theirs in look.marks.items() if theirs == mark}
    return {pid: look.stats[pid] for pid in sorted(found - look.spared - {shim.pid if shim else 0}) if pid in look.stats}


def judge(directory: str, shim: Stat | None) -> tuple[str, str]:
    """alive, or what makes it left over: over, superseded, shim-gone, unknown."""
    record = read_json(os.path.join(os.path.dirname(directory), "record.json"))
    state = record.get("state")
    if not isinstance(state, dict):
        return "unknown", "no controller has a record of its run here"
    if state.get("endedAt") is not None:
        return "over", f"its run is over ({state.get('phase')})"
    now = state.get("attempt")
    if isinstance(now, int) and now > number_of(directory):
        return "superseded", f"attempt {now} of its run has begun since"
    if shim is None and not is_held(os.path.join(directory, "lock")):
        return "shim-gone", "its shim is gone"
    return "alive", f"its run is alive by its record ({state.get('phase')})"


def attempts(request: Json, look: Look) -> list[Attempt]:
    """Those with anything alive."""
    local_name = request.get("localName")
    live = shims(look)
    directories = dict.fromkeys(attempt_directories(str(request["stateDir"]), local_name))
    if local_name is None:
        directories.update(dict.fromkeys(live))
    found: list[Attempt] = []
    for directory in directories:
        shim = live.get(directory)
        processes = members(directory, shim, look)
        if shim is not None or processes:
            verdict, why = judge(directory, shim)
            found.append(Attempt(os.path.basename(os.path.dirname(directory)), number_of(directory), directory, shim, processes, verdict, why))
    return found


def agents(request: Json, look: Look) -> list[Json]:
    """Each live agent; one that no runtime directory names is left over: nobody can reach it."""
    local_name = request.get("localName")
    owners = {pid: runtime for base in runtime_bases() for runtime in glob.glob(os.path.join(base, "*")) if (pid := live_owner(runtime)) is not None}
    found: list[Json] = []
    for pid, argv in look.argv.items():
        if is_program(argv, "agent.mjs") is None or pid in look.spared or os.path.basename(argv[-1]) != "agent.json":
            continue
        entry = read_json(os.path.join(os.path.dirname(argv[-1]), "host.json")).get("localName")
        if local_name is not None and entry not in (local_name, None):
            continue
        is_lost = pid not in owners
        found.append({"pid": pid, "start": look.stats[pid].start, "key": os.path.basename(os.path.dirname(argv[-1])), "isLeft": is_lost})
    return found


def agents_of(request: Json, look: Look) -> dict[int, str]:
    """PID to key of each agent that lives here with its state in `stateDir` (absent: anywhere), by what it was started with: its directories may be gone."""
    local_name = request.get("localName")
    found: dict[int, str] = {}
    for pid, argv in look.argv.items():
        bundle = is_program(argv, "agent.mjs")
        if bundle is None or pid in look.spared or os.path.basename(argv[-1]) != "agent.json":
            continue
        key = os.path.basename(os.path.dirname(argv[-1]))
        root = request.get("stateDir")
        is_of_root = root is None or os.path.dirname(os.path.dirname(bundle)) == os.path.abspath(root)
        if is_of_root and is_in_this_network(pid) and (local_name is None or key == agent_key(local_name)):
            found[pid] = key
    return found


def is_in_this_network(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino == namespaces()[1]
    except OSError:
        return False


def strays(known: list[Attempt], look: Look) -> list[Json]:
    """Processes with a mark of ours of which no record tells: that alone is no proof, so they are shown and not ended."""
    seen = {pid for each in known for pid in [*each.found, *([each.shim.pid] if each.shim else [])]} | look.spared
    mine = [(pid, mark) for pid, mark in look.marks.items() if pid not in seen and mark.count("/") == 3]
    return [{**shown(look.stats[pid]), "mark": mark[:300]} for pid, mark in sorted(mine)][:MANY]


def files(request: Json) -> list[Json]:
    """Runtime directories in /tmp and memory that an earlier boot left."""
    found: list[Json] = []
    for base in runtime_bases():
        if not os.path.isdir(base) or os.path.islink(base) or os.lstat(base).st_uid != os.getuid():
            continue
        for path in (os.path.join(base, name) for name in names_in(base)):
            host = read_json(os.path.join(path, "host.json"))
            if host and host.get("bootId") != boot_id() and is_of_this_host(path) and request.get("localName") in (None, host.get("localName")):
                found.append({"path": path, "why": "of an earlier boot"})
    return found[:MANY]


def shown(stat: Stat) -> Json:
    return {"pid": stat.pid, "start": stat.start, "comm": stat.comm}


def audit(request: Json) -> Json:
    """The state of things; changes nothing."""
    look = Look()
    known = attempts(request, look)
    return {
        "agents": agents(request, look),
        "attempts": [
            {
                "run": each.run,
                "attempt": each.attempt,
                "shim": each.shim.pid if each.shim else None,
                "processes": [shown(stat) for stat in each.found.values()][:MANY],
                "count": len(each.found) + (each.shim is not None),
                "verdict": each.verdict,
                "why": each.why,
            }
            for each in known
        ],
        "strays": strays(known, look) if request.get("localName") is None else [],
        "files": files(request),
    }
