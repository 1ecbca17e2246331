"""Ports held for an attempt: bound and never listening, so that torch's TCPStore can take one over (both set SO_REUSEADDR)."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import random
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

# How long a named port may still be locked by an attempt of ours that is just ending.
PREDECESSOR_WAIT_S = 3.0


class PortBusy(Exception):
    """A port cannot be held; the text names who has it."""

    def __init__(self, port: int, text: str) -> None:
        super().__init__(text)
        self.port = port


class HeldPort(NamedTuple):
    """What has to be closed to let the port go."""

    port: int
    sockets: list[socket.socket]
    lock_fd: int


def listeners(port: int) -> list[tuple[int, str]]:
    """(uid, socket inode) of each socket that listens on the port, on any address of this network namespace."""
    found: list[tuple[int, str]] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii", errors="replace") as f:
                rows = [line.split() for line in f][1:]
        except OSError:
            continue
        found.extend((int(row[7]), row[9]) for row in rows if len(row) > 9 and row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port)
    return found


def pid_of_socket(inode: str) -> int | None:
    wanted = f"socket:[{inode}]"
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            for fd in os.listdir(f"/proc/{name}/fd"):
                if os.readlink(f"/proc/{name}/fd/{fd}") == wanted:
                    return int(name)
        except OSError:
            continue
    return None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def owner(port: int) -> str:
    """Who listens, as far as this user may know: "nc (pid 812, user ann)"."""
    for uid, inode in listeners(port):
        pid = pid_of_socket(inode)
        if pid is None:
            return f"a process of user {_user_name(uid)}"
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
                comm = f.read().strip()
        except OSError:
            comm = "?"
        return f"{comm} (pid {pid}, user {_user_name(uid)})"
    return "a process that holds it without listening"


def _lock(directory: str, port: int, mark: str, wait_s: float) -> int:
    fd = os.open(os.path.join(directory, str(port)), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(fd)
                raise
            if time.monotonic() >= deadline:
                holder = os.pread(fd, 512, 0).decode("utf-8", "replace").strip()
                os.close(fd)
                raise PortBusy(port, f"port {port} is held by another nexadist attempt here ({holder or 'unnamed'})") from None
            time.sleep(0.05)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{mark} pid {os.getpid()}\n".encode(), 0)
    return fd


def _bind(port: int) -> list[socket.socket]:
    """All interfaces: [::] for both families, and 0.0.0.0 beside it. Raises OSError when either is taken."""
    sockets: list[socket.socket] = []
    try:
        for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
            try:
                s = socket.socket(family, socket.SOCK_STREAM)
            except OSError:
                continue  # a kernel without this family
            sockets.append(s)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                s.bind((address, port))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:  # IPv6 switched off by sysctl
                    raise
                s.close()
                sockets.remove(s)
    except OSError:
        for s in sockets:
            s.close()
        raise
    return sockets


def _hold_one(port: int, directory: str, mark: str, wait_s: float) -> HeldPort:
    lock_fd = _lock(directory, port, mark, wait_s)
    try:
        if listeners(port):
            raise PortBusy(port, f"port {port} is in use by {owner(port)}")
        try:
            sockets = _bind(port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortBusy(port, f"port {port} is in use by {owner(port)}") from None
            raise PortBusy(port, f"port {port} cannot be bound: {error.strerror}") from None
    except PortBusy:
        os.close(lock_fd)
        raise
    return HeldPort(port, sockets, lock_fd)


def _hold_any(port_range: Sequence[int], directory: str, mark: str, taken: set[int]) -> HeldPort:
    low, high = port_range
    count = high - low + 1
    first = random.randrange(count)
    for step in range(count):
        port = low + (first + step) % count
        if port in taken:
            continue
        try:
            return _hold_one(port, directory, mark, 0.0)
        except PortBusy:
            continue
    raise PortBusy(0, f"no free port from {low} to {high}")


def hold(ports: Sequence[int], port_range: Sequence[int], directory: str, mark: str) -> list[HeldPort]:
    """Holds every port asked for, in order; 0 takes a free one of the range. All or nothing."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    held: list[HeldPort] = []
    try:
        for port in ports:
            taken = {*ports, *(h.port for h in held)}
            held.append(_hold_one(port, directory, mark, PREDECESSOR_WAIT_S) if port else _hold_any(port_range, directory, mark, taken))
    except (PortBusy, OSError):
        release(held)
        raise
    return held


def release(held: list[HeldPort]) -> None:
    """Lets all of them go."""
    for port in held:
        for s in port.sockets:
            s.close()
        os.close(port.lock_fd)
    held.clear()
