"""The parent of one attempt's processes on one host. `shim.py ARM_JSON_PATH` starts it; `shim.py --sweep ARM_JSON_PATH [GRACE_MS]` ends what a lost one left.

Started in the foreground it goes on as a daemon and prints one line, its `armed` or `arm-failed` event; exit status 0 when armed, else 1.
Run with `python3 -I -S`: nothing of the user's Python set-up is read, and the process stays small.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

sys.dont_write_bytecode = True  # the bundle is verified by hash, and uninstalling must leave nothing
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import shim_cgroup  # noqa: E402
import shim_claims  # noqa: E402
import shim_ports  # noqa: E402
from shim_attempt import Attempt  # noqa: E402
from shim_events import Events, Journal, make_reserve, release_reserve  # noqa: E402
from shim_lock import Locked, take_lock  # noqa: E402
from shim_loop import Loop, log  # noqa: E402
from shim_peers import Peers  # noqa: E402
from shim_proc import become_subreaper, read_stat  # noqa: E402
from shim_quota import Quota  # noqa: E402

# Agents get this long to hear the last event; it is in the file anyway.
_LINGER_S = 2.0
_TICK_S = 1.0


class CannotArm(Exception):
    """An arm-failed event to be."""

    def __init__(self, code: str, text: str, port: int | None = None) -> None:
        super().__init__(text)
        self.event: dict[str, Any] = {"code": code, "text": text, **({} if port is None else {"port": port})}


def arm_attempt(arm: dict[str, Any], loop: Loop, umask: int) -> Events:
    """Everything up to `armed`. Raises CannotArm; LOCKED before any file of the living shim was touched."""
    directory = arm["dir"]
    try:
        os.makedirs(os.path.join(directory, "error"), mode=0o700, exist_ok=True)
        os.makedirs(os.path.dirname(arm["socket"]), mode=0o700, exist_ok=True)
        take_lock(arm)
        if os.path.exists(os.path.join(directory, "events.jsonl")):
            raise CannotArm("DIR", f"{directory} was used by an earlier shim; an attempt is armed once")
        make_reserve(directory)
        events = Events(directory)
        pids = Journal(os.path.join(directory, "pids.jsonl"))
    except Locked as error:
        raise CannotArm("LOCKED", str(error)) from None
    except OSError as error:
        raise CannotArm("DIR", f"{error.filename or directory}: {error.strerror}") from None
    try:
        release_gpus = shim_claims.take(arm["claim"]) if arm.get("claim") else None
        held = shim_ports.hold(arm["ports"], arm["portRange"], arm["portLocks"], arm["mark"])
        attempt = Attempt(loop, arm, events, pids, held, umask)
        peers = Peers(loop, events, attempt.command, attempt.rank_said_hello)
        peers.listen(arm["socket"])
    except shim_claims.GpuBusy as error:
        release_reserve(directory)
        events.emit("arm-failed", code="GPU_BUSY", text=str(error))
        raise CannotArm("GPU_BUSY", str(error)) from None
    except shim_ports.PortBusy as error:
        release_reserve(directory)
        events.emit("arm-failed", code="PORT_BUSY", text=str(error), port=error.port)
        raise CannotArm("PORT_BUSY", str(error), error.port) from None
    except OSError as error:
        events.emit("arm-failed", code="OTHER", text=str(error))
        raise CannotArm("OTHER", str(error)) from None
    attempt.release_gpus = release_gpus or attempt.release_gpus
    set_up(arm, loop, attempt, events, pids, peers, held)
    return events


def set_up(arm: dict[str, Any], loop: Loop, attempt: Attempt, events: Events, pids: Journal, peers: Peers, held: list[shim_ports.HeldPort]) -> None:
    """Containment, signals, the tick, the way out, and the event `armed`."""
    containment = ["mark"]
    if become_subreaper():
        containment.insert(0, "subreaper")
    else:
        log("not a subreaper: daemonised children can only be found by cgroup or mark")
    cgroup = shim_cgroup.make(f"{arm['run']}-a{arm['attempt']}-{os.getpid()}")
    if cgroup:
        containment.insert(0, "cgroup")
        pids.append([json.dumps({"cgroup": cgroup})])
        attempt.ending.cgroup = cgroup
    attempt.ending.proofs = [*(c for c in containment if c != "mark"), "pids", "mark"]
    attempt.ending.spared = lambda: {agent.pid for agent in peers.agents}
    quota = Quota(arm["dir"], arm["quotaBytes"], events)

    def tick() -> None:
        attempt.note_orphans()
        events.flush()
        loop.after(_TICK_S, tick)

    def watch_logs() -> None:
        if attempt.ending.phase != "done":
            loop.after(quota.check(), watch_logs)

    def leave() -> None:
        release_reserve(arm["dir"])
        try:
            os.unlink(arm["socket"])
        except OSError:
            pass
        loop.end()

    def ended() -> None:
        if not attempt.procs.alive("launcher", "rank", "other", "leftover"):
            quota.release()

        def leave_when_alone() -> None:
            if not peers.agents:
                leave()

        peers.on_agents_changed = leave_when_alone
        leave_when_alone()
        loop.after(_LINGER_S, leave)

    attempt.on_ended = ended
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    loop.on_signal(signal.SIGCHLD, attempt.procs.reap)
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.on_signal(signum, lambda: attempt.stop(None, "the shim was told to end"))
    loop.after(_TICK_S, tick)
    watch_logs()
    stat = read_stat(os.getpid())
    events.emit("armed", pid=os.getpid(), start=stat.start if stat else 0, ports=[h.port for h in held], containment=containment)


def be_daemon(arm: dict[str, Any], umask: int, report: int) -> None:
    """The second fork: a session of its own, files for a terminal."""
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDONLY)
    shim_log = os.open(os.path.join(arm["dir"], "shim.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for target, fd in enumerate((null, shim_log, shim_log)):
        os.dup2(fd, target)
    keep = {0, 1, 2, report}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                pass
    loop = Loop()
    try:
        line = arm_attempt(arm, loop, umask).lines[0]
        failed = False
    except CannotArm as error:
        line = json.dumps({"type": "arm-failed", **error.event})
        failed = True
        log(line)
    os.write(report, line.encode() + b"\n")
    os.close(report)
    if failed:
        return
    loop.run()


def start(arm_path: str) -> int:
    """Forks twice, waits for the daemon's first event and prints it."""
    with open(arm_path, encoding="utf-8") as f:
        arm: dict[str, Any] = json.load(f)
    umask = os.umask(0o077)
    os.makedirs(arm["dir"], mode=0o700, exist_ok=True)
    reader, report = os.pipe2(os.O_CLOEXEC)
    middle = os.fork()
    if middle == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                be_daemon(arm, umask, report)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    os.close(report)
    os.waitpid(middle, 0)
    with os.fdopen(reader, "rb") as f:
        line = f.readline().decode()
    if not line:
        line = json.dumps({"type": "arm-failed", "code": "OTHER", "text": f"the shim died at once; see {arm['dir']}/shim.log"}) + "\n"
    sys.stdout.write(line)
    event = json.loads(line)
    if event["type"] == "armed":
        return 0
    sys.stderr.write(f"{event['text']}\n")
    return 1


def main(argv: list[str]) -> int:
    """Two forms; no options."""
    if len(argv) in (2, 3) and argv[0] == "--sweep":
        from shim_sweep import sweep

        return sweep(argv[1], int(argv[2]) if len(argv) == 3 else None)
    if len(argv) == 1:
        return start(argv[0])
    sys.stderr.write("usage: shim.py ARM_JSON_PATH | shim.py --sweep ARM_JSON_PATH [GRACE_MS]\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
