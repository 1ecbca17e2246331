"""Starts, finds and ends the agent of this host: at most one per key, detached from the SSH session."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import signal
import socket
import sys
import time
from typing import Any

from host_session import outlive_session
from host_store import is_present, place, settle
from host_wire import (
    Failure,
    boot_id,
    make_private,
    make_state,
    namespaces,
    raise_os,
    read_json,
    read_text,
    runtime_base,
    secrets_base,
    start_ticks,
    write_private,
)

Json = dict[str, Any]
ACCEPT_S = 10.0
LEAVE_S = 10.0


def agent_key(local_name: str) -> str:
    """One agent per boot, PID namespace, network namespace and, for transport local, entry."""
    pid_ns, net_ns = namespaces()
    return hashlib.sha256(json.dumps([boot_id(), pid_ns, net_ns, local_name]).encode()).hexdigest()[:12]


def identity(local_name: str) -> Json:
    """What tells a later look whose directory this is."""
    pid_ns, net_ns = namespaces()
    return {
        "bootId": boot_id(),
        "pidNs": pid_ns,
        "netNs": net_ns,
        "localName": local_name,
        "hostname": socket.gethostname(),
        "machineId": read_text("/etc/machine-id").strip(),
    }


def take_lock(path: str) -> int | None:
    """The lock's descriptor, or None while an agent (or its start) holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    except OSError:
        os.close(fd)
        return None


def accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(path)
            return True
        except OSError:
            return False


def tail(path: str, size: int = 4000) -> str:
    return read_text(path)[-size:].strip()


def describe(runtime: str, state: str, how: str) -> Json:
    owner = read_json(os.path.join(runtime, "agent.pid"))
    return {
        "key": os.path.basename(runtime),
        "socket": os.path.join(runtime, "agent.sock"),
        "token": read_text(os.path.join(runtime, "token")).strip(),
        "pid": owner.get("pid"),
        "bundle": owner.get("bundle"),
        "running": how,
        "stateDir": state,
        "runtimeDir": runtime,
    }


def live_owner(runtime: str) -> int | None:
    """PID of the agent on record, when that very process is alive."""
    owner = read_json(os.path.join(runtime, "agent.pid"))
    pid = owner.get("pid")
    return pid if isinstance(pid, int) and start_ticks(pid) == owner.get("start") else None


def end_agent(runtime: str, *, is_replaced: bool = False) -> bool:
    """TERM (USR2: another one takes its place, and it says so), then KILL; shims and ranks stay. True when nobody holds the lock afterwards."""
    lock = os.path.join(runtime, "agent.lock")
    begun = time.monotonic()
    told: int | None = None
    killed = False
    while time.monotonic() - begun < LEAVE_S:
        fd = take_lock(lock)
        if fd is not None:
            os.close(fd)
            return True
        pid = live_owner(runtime)
        try:
            if pid is not None and pid != told:
                told = pid
                os.kill(pid, signal.SIGUSR2 if is_replaced else signal.SIGTERM)
            elif pid is not None and not killed and time.monotonic() - begun > LEAVE_S / 2:
                killed = True
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        time.sleep(0.02)
    return False


def clean_environment() -> dict[str, str]:
    """The agent inherits nothing of this session: ranks get a fresh one each run."""
    user = pwd.getpwuid(os.getuid())
    return {
        "HOME": os.environ.get("HOME") or user.pw_dir,
        "PATH": os.environ.get("PATH") or "/usr/local/bin:/usr/bin:/bin",
        "LANG": os.environ.get("LANG") or "C.UTF-8",
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        "SHELL": user.pw_shell or "/bin/sh",
    }


def detach(before: list[str], node: str, entry: str, config: str, lock_fd: int, log: str, runtime: str, bundle: str) -> None:
    """Double fork; the grandchild becomes the agent and keeps the lock's descriptor as fd 3, which Node hides from its own children."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.umask(0o077)
        os.chdir("/")
        null = os.open("/dev/null", os.O_RDONLY)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        lock = fcntl.fcntl(lock_fd, fcntl.F_DUPFD, 10)
        for source, target in ((null, 0), (out, 1), (out, 2), (lock, 3)):
            os.dup2(source, target)
        os.closerange(4, 1024)
        for name in (signal.SIGPIPE, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        pid = os.getpid()
        write_private(os.path.join(runtime, "agent.pid"), json.dumps({"pid": pid, "start": start_ticks(pid), "bundle": bundle}))
        # A small young generation, no optimising compiler (6 MB of its own): an agent copies bytes, and a host has better use for its memory.
        argv = [*before, node, "--max-semi-space-size=2", "--no-opt", "--disable-warning=ExperimentalWarning", entry, config]
        os.execve(argv[0], argv, clean_environment())
    except BaseException as error:
        os.write(2, f"agent not started: {error}\n".encode())
    finally:
        os._exit(127)


def wait_for_socket(runtime: str, log: str, log_from: int) -> None:
    path = os.path.join(runtime, "agent.sock")
    lock = os.path.join(runtime, "agent.lock")
    deadline = time.monotonic() + ACCEPT_S
    while time.monotonic() < deadline:
        if accepts(path):
            return
        fd = take_lock(lock)
        if fd is not None:
            os.close(fd)
            raise Failure("AGENT_START", f"the agent ended at once: {read_text(log)[log_from:][-2000:].strip() or 'it said nothing'}")
        time.sleep(0.01)
    raise Failure("AGENT_START", f"the agent accepts no connection after {ACCEPT_S:g} s: {tail(log, 2000)}")


def start(request: Json) -> Json:
    local_name = str(request.get("localName") or "")
    root = make_state(request["stateDir"])
    bundle = request["bundle"]
    bundle_dir = place(root, "bundle", bundle)
    key = agent_key(local_name)
    runtime = os.path.join(runtime_base(), key)
    state = os.path.join(root, "agents", key)
    log = os.path.join(state, "agent.log")
    try:
        os.makedirs(state, 0o700, exist_ok=True)
        write_private(os.path.join(state, "host.json"), json.dumps(identity(local_name)))
    except OSError as error:
        raise_os(error, state)
    try:
        make_private(runtime)
        write_private(os.path.join(runtime, "host.json"), json.dumps({**identity(local_name), "root": root}))
    except OSError as error:
        raise_os(error, runtime)
    log_from = len(read_text(log))
    if request.get("upgrade") and read_json(os.path.join(runtime, "agent.pid")).get("bundle") != bundle and not end_agent(runtime, is_replaced=True):
        raise Failure("AGENT_STUCK", f"the old agent (see {log}) does not leave")
    before = outlive_session(pwd.getpwuid(os.getuid()).pw_name)
    fd = take_lock(os.path.join(runtime, "agent.lock"))
    if fd is None:
        wait_for_socket(runtime, log, log_from)
        settle(bundle_dir)
        settle(os.path.dirname(request["node"]))
        return describe(runtime, state, "running")
    try:
        if not is_present(bundle_dir):
            raise Failure("BUNDLE_ABSENT", f"{bundle_dir} is not on this host")
        config: Json = {
            "stateDir": state,
            "rootDir": root,
            "runtimeDir": runtime,
            "secretsDir": secrets_dir(key),
            "key": key,
            "bootId": boot_id(),
            "tokenFile": os.path.join(runtime, "token"),
            "socket": os.path.join(runtime, "agent.sock"),
            "bundleDir": bundle_dir,
            "bundle": bundle,
            "python": sys.executable,
        }
        if os.path.exists(config["socket"]):
            os.unlink(config["socket"])
        write_private(config["tokenFile"], secrets.token_hex(32))
        write_private(os.path.join(runtime, "agent.json"), json.dumps(config))
        detach(before, request["node"], os.path.join(bundle_dir, "agent.mjs"), os.path.join(runtime, "agent.json"), fd, log, runtime, bundle)
    except OSError as error:
        raise_os(error, runtime)
    finally:
        os.close(fd)
    wait_for_socket(runtime, log, log_from)
    return describe(runtime, state, "started")


def secrets_dir(key: str) -> str:
    return make_private(os.path.join(secrets_base(), key))


def keep_session(request: Json) -> Json:
    """This SSH session's environment, for the ranks of one run: in memory, for this user only."""
    run = str(request["run"])
    if "/" in run or run.startswith(".") or not run:
        raise Failure("BAD_REQUEST", f"not a run: {run[:80]}")
    kept: dict[str, str] = {}
    dropped = 0
    for name, value in os.environ.items():
        try:
            (name + value).encode("utf-8")
        except UnicodeEncodeError:
            dropped += 1
            continue
        # These describe the shell that carried us, not the session.
        if name not in ("_", "SHLVL", "OLDPWD"):
            kept[name] = value
    directory = make_private(os.path.join(secrets_dir(str(request["key"])), run))
    try:
        write_private(os.path.join(directory, "session.json"), json.dumps(kept))
    except OSError as error:
        raise_os(error, directory)
    return {"variables": len(kept), "dropped": dropped}


def ours(base: str, root: str | None) -> list[str]:
    """Runtime directories under `base` of agents in this boot and these namespaces, whose state is under `root` (None: any)."""
    pid_ns, net_ns = namespaces()
    found: list[str] = []
    for name in sorted(os.listdir(base)) if os.path.isdir(base) and os.lstat(base).st_uid == os.getuid() else []:
        host = read_json(os.path.join(base, name, "host.json"))
        is_here = (host.get("bootId"), host.get("pidNs"), host.get("netNs")) == (boot_id(), pid_ns, net_ns)
        if is_here and root in (None, host.get("root")):
            found.append(os.path.join(base, name))
    return found
