"""The helper that a controller runs on a host through SSH: one request on stdin, one answer on stdout. Read-only unless the op says otherwise."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import IO, Any

from host_agent import keep_session, start
from host_audit import audit
from host_clean import stop_agents
from host_facts import facts
from host_look import agents, uninstall_plan
from host_reap import end_left
from host_store import present, put
from host_uninstall import uninstall
from host_wire import Failure

Json = dict[str, Any]
CHUNK = 65536


def answer(nonce: str, value: Json) -> None:
    """A line of its own, found by the nonce, whatever an rc file has printed before it."""
    write_all(1, f"\n{nonce} {json.dumps(value)}\n".encode())


def connect(request: Json) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(request["socket"])
    except OSError as error:
        raise Failure("SOCKET_ABSENT", f"{request['socket']}: {error.strerror}") from error
    return link


def buffered(source: IO[bytes]) -> bytes:
    """What the reader of the request line has read ahead of it."""
    os.set_blocking(0, False)
    try:
        return source.peek(1)  # type: ignore[attr-defined, no-any-return]
    finally:
        os.set_blocking(0, True)


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def pump(link: socket.socket, source: IO[bytes]) -> None:
    """stdin to the socket, the socket to stdout; each side's end is passed on, and the socket's ends it."""
    ahead = buffered(source)
    if ahead:
        link.sendall(ahead)
    readers = [0, link.fileno()]
    while link.fileno() in readers:
        ready, _, _ = select.select(readers, [], [])
        if link.fileno() in ready:
            data = link.recv(CHUNK)
            if not data:
                return
            write_all(1, data)
        if 0 in ready:
            data = os.read(0, CHUNK)
            if data:
                link.sendall(data)
            else:
                readers.remove(0)
                link.shutdown(socket.SHUT_WR)


def look(request: Json) -> Json:
    found = facts(request)
    return {**found, "present": present(found["stateDir"])}


def bring(request: Json, source: IO[bytes]) -> Json:
    """What is missing here, one after the other on stdin, then the start: one call, since each costs a session and a Python."""
    for one in request["puts"]:
        put({**one, "stateDir": request["stateDir"]}, source)
    return start(request)


def main() -> int:
    # A cut connection ends us through our own cleaning up.
    for name in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, lambda *_: sys.exit(1))
    os.umask(0o077)
    source = sys.stdin.buffer
    request: Json = json.loads(source.readline())
    nonce = str(request["nonce"])
    ops = {
        "facts": look,
        "bring": lambda asked: bring(asked, source),
        "put": lambda asked: put(asked, source),
        "start": start,
        "env": keep_session,
        "agents": agents,
        "audit": audit,
        "end-left": end_left,
        "stop-agent": stop_agents,
        "uninstall": uninstall,
        "uninstall-plan": uninstall_plan,
    }
    op = str(request.get("op"))
    try:
        if op == "proxy":
            link = connect(request)
            answer(nonce, {"ok": True, "value": {}})
            pump(link, source)
            return 0
        if op not in ops:
            raise Failure("BAD_REQUEST", f"unknown op {op[:40]}")
        answer(nonce, {"ok": True, "value": ops[op](request)})
        return 0
    except Failure as failure:
        answer(nonce, {"ok": False, "code": failure.code, "text": failure.text})
    except (BrokenPipeError, ConnectionError):
        pass
    except Exception as error:
        answer(nonce, {"ok": False, "code": "BUG", "text": f"host helper, {op}: {error!r} at {traceback.extract_tb(error.__traceback__)[-1]}"})
    return 1


if __name__ == "__main__":
    sys.exit(main())
