"""Ends agents and takes back everything that nexadist put on this host, but not what the user's program wrote."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from typing import Any

from host_agent import end_agent, identity, ours
from host_wire import made_lists, names_in, read_json, runtime_bases

Json = dict[str, Any]
SHIM_END_S = 20.0


def stop_agents(request: Json) -> Json:
    """The agents of this user here with their state in `stateDir`, or the one of `key`; shims and ranks stay."""
    ended: list[str] = []
    stuck: list[str] = []
    for base in runtime_bases():
        for runtime in of_entry(ours(base, request.get("stateDir")), request):
            if request.get("key") in (None, os.path.basename(runtime)) and os.path.exists(os.path.join(runtime, "agent.lock")):
                (ended if end_agent(runtime) else stuck).append(os.path.basename(runtime))
    return {"ended": ended, "stuck": stuck}


def end_holders(runtime: str) -> None:
    """The programs that hold claims on GPUs for runs of this agent. One that does not answer ends when it finds its socket gone."""
    for name in names_in(runtime):
        if not name.endswith(".gpus"):
            continue
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as holder:
                holder.settimeout(2.0)
                holder.connect(os.path.join(runtime, name))
                holder.sendall(b'{"do": "end"}\n')
                holder.recv(1024)
        except OSError:
            pass


def of_entry(directories: list[str], request: Json) -> list[str]:
    """Those of the entry `localName`, where one is asked about: entries with transport local share a machine."""
    wanted = request.get("localName")
    return [each for each in directories if wanted is None or read_json(os.path.join(each, "host.json")).get("localName") in (wanted, None)]


def is_held(lock: str) -> bool:
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared: two who look at the same time do not take each other for a shim.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(fd)


def live_attempts(state: str) -> list[str]:
    """Directories of attempts whose shim lives."""
    found: list[str] = []
    runs = os.path.join(state, "runs")
    for run in names_in(runs):
        for name in names_in(os.path.join(runs, run)):
            attempt = os.path.join(runs, run, name)
            if is_held(os.path.join(attempt, "lock")):
                found.append(attempt)
    return found


def end_attempt(attempt: str) -> bool:
    """Asks the shim to end its attempt now; True when it let go of its lock."""
    path = read_json(os.path.join(attempt, "arm.json")).get("socket", "")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(5)
            link.connect(path)
            for line in ({"hello": "agent", "from": 0}, {"do": "stop", "graceMs": 0, "why": "uninstall"}):
                link.sendall(json.dumps(line).encode() + b"\n")
            deadline = time.monotonic() + SHIM_END_S
            link.settimeout(0.2)
            while time.monotonic() < deadline and is_held(os.path.join(attempt, "lock")):
                try:
                    if not link.recv(65536):
                        time.sleep(0.05)
                except socket.timeout:
                    pass
    except OSError:
        pass
    return not is_held(os.path.join(attempt, "lock"))


def is_unchanged(path: str, entry: Json) -> bool:
    """Still the file that we copied there."""
    try:
        if os.path.islink(path):
            return os.readlink(path) == entry.get("link")
        if os.lstat(path).st_size != entry.get("size"):
            return False
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            for data in iter(lambda: file.read(1 << 20), b""):
                digest.update(data)
        return digest.hexdigest() == entry.get("sha256")
    except OSError:
        return False


def prune(top: str) -> None:
    """Removes empty directories, deepest first."""
    for directory, _, _ in os.walk(top, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            pass


def code_files(run: str) -> Iterator[tuple[str, bool]]:
    """Every file of the run's copy of the code, and whether it is ours: unchanged since we copied it."""
    code = os.path.join(run, "code")
    known = {entry["path"]: entry for entry in read_json(os.path.join(run, "code.json")).get("entries", [])}
    for directory, folders, files in os.walk(code):
        for name in files + [folder for folder in folders if os.path.islink(os.path.join(directory, folder))]:
            path = os.path.join(directory, name)
            entry = known.get(os.path.relpath(path, code))
            # Bytecode is made from what we copied.
            yield path, bool(entry and is_unchanged(path, entry)) or os.path.basename(directory) == "__pycache__"


def clear_code(run: str, left: list[str]) -> None:
    """What is ours goes, what the user's program wrote stays."""
    for path, is_ours in code_files(run):
        if is_ours:
            drop(path)
        elif os.path.lexists(path):
            left.append(path)
    prune(os.path.join(run, "code"))


def clear_run(run: str, purge: bool, left: list[str]) -> None:
    made = read_json(os.path.join(run, "made.json"))
    for scratch in made.get("dirs", []):
        if purge:
            shutil.rmtree(scratch, ignore_errors=True)
        elif os.path.isdir(scratch):
            prune(scratch)
            if os.path.isdir(scratch):
                left.append(scratch)
    if made.get("base"):
        remove_empty(made["base"])
    if not purge:
        clear_code(run, left)
    for name in names_in(run):
        if name != "code" or purge:
            drop(os.path.join(run, name))
    prune(run)


def drop(path: str) -> None:
    """A file or a whole directory; fine when it is gone already."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def remove_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass


def is_of_this_host(state: str) -> bool:
    """This boot and namespaces, or an earlier boot of this machine; a directory of another host on a shared home is not."""
    mine, theirs = identity(""), read_json(os.path.join(state, "host.json"))
    if not theirs:
        return True  # what an earlier uninstall has left of the user's
    if theirs.get("bootId") == mine["bootId"]:
        return (theirs.get("pidNs"), theirs.get("netNs")) == (mine["pidNs"], mine["netNs"])
    return (theirs.get("hostname"), theirs.get("machineId")) == (mine["hostname"], mine["machineId"])


def states_here(request: Json) -> list[str]:
    """State directories of this host, or of its one entry that is asked about."""
    agents = os.path.join(str(request["stateDir"]), "agents")
    return of_entry([state for state in (os.path.join(agents, name) for name in names_in(agents)) if is_of_this_host(state)], request)


def others_than(states: list[str], root: str) -> list[str]:
    """Keys of agents that live here besides those; what an uninstall has left of the user's is none."""
    agents = os.path.join(root, "agents")
    paths = [os.path.join(agents, name) for name in names_in(agents)]
    return [os.path.basename(path) for path in paths if path not in states and os.path.exists(os.path.join(path, "host.json"))]


def clear_state(state: str, purge: bool) -> list[str]:
    """Gives what stays: the user's."""
    left: list[str] = []
    runs = os.path.join(state, "runs")
    for name in names_in(runs):
        clear_run(os.path.join(runs, name), purge, left)
    for name in names_in(state):
        if name != "runs":
            drop(os.path.join(state, name))
    prune(state)
    return left


def clear_base(base: str, keys: list[str]) -> None:
    """Secrets of those keys, the port locks, and the base when nothing else lives in it."""
    if not os.path.isdir(base) or os.lstat(base).st_uid != os.getuid():
        return
    for key in keys:
        shutil.rmtree(os.path.join(base, key), ignore_errors=True)
    if not [name for name in names_in(base) if not name.startswith("ports")]:
        shutil.rmtree(base, ignore_errors=True)


def clear_root(root: str) -> list[str]:
    removed: list[str] = []
    lists = made_lists(root)
    parents = {path for file in lists for path in read_json(file).get("dirs", [])}
    for name in ("bundles", "node", "blobs"):
        path = os.path.join(root, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    for file in lists:
        drop(file)
    prune(root)
    for parent in sorted(parents, key=len, reverse=True):
        try:
            os.rmdir(parent)
        except OSError:
            pass
    return removed
