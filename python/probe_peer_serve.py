"""What a host offers to its peers while pairs are probed: ports that answer whoever knows the token, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import hmac
import json
import os
import socket
import threading
import time
from typing import Any, NamedTuple

from shim_ports import listeners, owner, pid_of_socket

Json = dict[str, Any]
TOKEN_CHARS = 32
# A peer that has connected says its token at once; one that stays silent is none.
GREETING_S = 5.0
IDLE_S = 15.0
# Beyond it the kernel's queue waits: more at a time are no peers of ours.
MOST_AT_ONCE = 128
CHUNK = 256 * 1024


class Listening(NamedTuple):
    """What a peer is told: where to knock."""

    address: str
    ports: list[Json]
    udp: int


class Server:
    """The open ports of one session. They are gone with the process."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    def listen(self, wanted: list[Json], addresses: list[str]) -> Listening:
        """Ephemeral ports on the address that ranks would bind, the rendezvous' on all: as torch's store does."""
        address, family = _first_held(addresses)
        told: list[Json] = []
        for each in wanted:
            kind, port = str(each["kind"]), int(each["port"])
            try:
                bound = _bind_rdzv(port) if kind == "rdzv" else _bind(family, address, port)
                bound.listen(MOST_AT_ONCE)
            except OSError as error:
                is_busy = error.errno == errno.EADDRINUSE
                told.append({"kind": kind, "port": port, "outcome": "busy" if is_busy else "other", "detail": _why(port, error)})
                continue
            told.append({"kind": kind, "port": bound.getsockname()[1], "outcome": "open"})
            threading.Thread(target=self._accept, args=(bound,), daemon=True).start()
        return Listening(address, told, self._echo_datagrams(family, address))

    def _accept(self, bound: socket.socket) -> None:
        while True:
            self._room.acquire()
            try:
                link, _ = bound.accept()
            except OSError:
                self._room.release()
                time.sleep(0.05)  # out of descriptors: others end
                continue
            try:
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()
            except RuntimeError:
                link.close()
                self._room.release()

    def _serve(self, link: socket.socket) -> None:
        try:
            with link, contextlib.suppress(OSError, ValueError):
                link.settimeout(GREETING_S)
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                greeting = _read_line(link)
                token, _, mode = greeting.partition(b" ")
                if not hmac.compare_digest(token, self._token):
                    return
                link.sendall(b"ok\n")
                link.settimeout(IDLE_S)
                if mode == b"echo":
                    while data := link.recv(CHUNK):
                        link.sendall(data)
                if mode == b"sink":
                    link.sendall(json.dumps(_take_all(link)).encode() + b"\n")
        finally:
            self._room.release()

    def _echo_datagrams(self, family: socket.AddressFamily, address: str) -> int:
        """Tells the length of what arrived, to whoever knows the token; 0: there is no such port."""
        try:
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.bind((address, 0))
        except OSError:
            return 0
        threading.Thread(target=self._answer_datagrams, args=(s,), daemon=True).start()
        return int(s.getsockname()[1])

    def _answer_datagrams(self, s: socket.socket) -> None:
        while True:
            with contextlib.suppress(OSError):
                data, sender = s.recvfrom(65536)
                if hmac.compare_digest(data[:TOKEN_CHARS], self._token):
                    s.sendto(self._token + b" %d" % len(data), sender)


def _read_line(link: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = link.recv(1)
        if not data or len(line) > 200:
            raise ValueError("no greeting")
        line += data
    return line[:-1]


def _take_all(link: socket.socket) -> Json:
    """What arrived, and in how long from its first byte to its last."""
    taken, began, ended = 0, 0.0, 0.0
    buffer = memoryview(bytearray(CHUNK))
    while count := link.recv_into(buffer):
        ended = time.monotonic()
        began = began or ended
        taken += count
    return {"bytes": taken, "ms": (ended - began) * 1000}


def resolve(name: str) -> list[tuple[socket.AddressFamily, str]]:
    """Numeric addresses, in the order in which this host would try them."""
    found = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)
    return [(family, str(address[0])) for family, _, _, _, address in found if family in (socket.AF_INET, socket.AF_INET6)]


def _first_held(addresses: list[str]) -> tuple[str, socket.AddressFamily]:
    """The first that this host itself holds; all of IPv4 where it holds none, as behind a router that maps addresses."""
    found: list[tuple[socket.AddressFamily, str]] = []
    for name in addresses:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(resolve(name))
    # Debian gives a host's own name 127.0.1.1: peers that use the name reach another address.
    found.sort(key=lambda each: each[1].startswith("127.") and len(found) > 1)
    for family, address in found:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as s:
            s.bind((address, 0))
            return address, family
    return "", socket.AF_INET


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    s = socket.socket(family, socket.SOCK_STREAM)
    try:
        s.bind((address, port))
    except OSError:
        s.close()
        raise
    return s


def _bind_rdzv(port: int) -> socket.socket:
    """
    Both families, without SO_REUSEADDR: with it we could take the port from a shim that holds it for an attempt, which would then fail.
    Only where connections that are over still linger (state 06, TIME_WAIT) it is needed, and then torch's store sets it too.
    """
    for is_shared in (False, True):
        s = socket.socket(socket.AF_INET6 if _has_ipv6() else socket.AF_INET, socket.SOCK_STREAM)
        try:
            if s.family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(is_shared))
            s.bind(("::" if s.family == socket.AF_INET6 else "0.0.0.0", port))
            return s
        except OSError as error:
            s.close()
            if is_shared or error.errno != errno.EADDRINUSE or listeners(port) or not _lingers(port):
                raise
    raise AssertionError("unreachable")


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
            s.bind(("::", 0))
            return True
    except OSError:
        return False


def _lingers(port: int) -> bool:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii", errors="replace") as f:
            for row in (line.split() for line in f):
                if len(row) > 3 and row[3] == "06" and int(row[1].rpartition(":")[2], 16) == port:
                    return True
    return False


def _why(port: int, error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        return os.strerror(error.errno or 0)
    run = _run_that_listens(port)
    return owner(port) if run is None else f"nexadist run {run}"


def _run_that_listens(port: int) -> str | None:
    """Ours, as far as this user may know."""
    for _, inode in listeners(port):
        pid = pid_of_socket(inode)
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as f:
            for pair in f.read().split(b"\0"):
                if pair.startswith(b"NEXADIST_RUN="):
                    return pair[13:].decode("utf-8", "replace")
    return None
