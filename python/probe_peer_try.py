"""What a host tries towards its peers while pairs are probed: are ports open, how long do messages take, how much goes through, how large a packet."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import struct
import subprocess
import threading
import time
from typing import Any

from probe_peer_serve import CHUNK, resolve

Json = dict[str, Any]
CONNECT_S = 3.0
ROUND_TRIP_S = 2.0
MESSAGE = b"x" * 64
# More than any packet, less than what two sockets buffer.
BIG = 64 * 1024
BIG_S = 3.0
STREAMS = 4
DATAGRAM_S = 0.25
PING_S = 10.0
DATAGRAM_TRIES = 3
# linux/in.h and in6.h; Python names them on some builds only.
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_PROBE = 10, 23, 3
UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def knock(address: str, port: int, token: str | None) -> Json:
    """Open only when it is our peer that answers: a router or a proxy may accept what nobody listens to. Without a token it is no port of ours."""
    began = time.monotonic()
    outcome, detail = "open", ""
    extra: Json = {}
    try:
        with socket.create_connection((address, port), CONNECT_S) if token is None else _connect(address, port, token, "echo"):
            pass
    except socket.gaierror as error:
        outcome, detail = "other", f"cannot resolve {address}: {error.strerror}"
    except socket.timeout:
        outcome = "timeout"
    except _NotOurs as error:
        outcome, detail, extra = "other", str(error), {"isAnswered": True}
    except OSError as error:
        outcome = _outcome_of(error)
        detail = "" if outcome != "other" else os.strerror(error.errno) if error.errno else str(error)
    return {"outcome": outcome, "ms": (time.monotonic() - began) * 1000, **extra, **({"detail": detail} if detail else {})}


class _NotOurs(Exception):
    pass


def _outcome_of(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    if error.errno == errno.ETIMEDOUT:
        return "timeout"
    return "unreachable" if error.errno in UNREACHABLE else "other"


def _connect(address: str, port: int, token: str, mode: str) -> socket.socket:
    """Raises socket.timeout, OSError, or _NotOurs when what accepts is not our peer."""
    link = socket.create_connection((address, port), CONNECT_S)
    try:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            link.sendall(f"{token} {mode}\n".encode())
            said = _read_exactly(link, 3)
        except (OSError, EOFError) as error:
            raise _NotOurs("it connects, and nothing comes back" if isinstance(error, socket.timeout) else "it connects, and is cut at once") from error
        if said != b"ok\n":
            raise _NotOurs("something else answers there")
    except BaseException:
        link.close()
        raise
    return link


def _read_exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = link.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def round_trips(address: str, port: int, token: str, tries: int) -> Json:
    """How long small messages take there and back; the first one that does not come back ends it."""
    took: list[float] = []
    with _connect(address, port, token, "echo") as link:
        link.settimeout(ROUND_TRIP_S)
        for _ in range(tries):
            began = time.monotonic()
            try:
                link.sendall(MESSAGE)
                _read_exactly(link, len(MESSAGE))
            except (OSError, EOFError):
                break
            took.append((time.monotonic() - began) * 1000)
    took.sort()
    middle, most = (took[len(took) // 2], took[-1]) if took else (0.0, 0.0)
    return {"p50": middle, "max": most, "lost": tries - len(took)}


def write_big(address: str, port: int, token: str) -> str:
    """Whether more than a packet gets through where a small message does."""
    with _connect(address, port, token, "echo") as link:
        link.settimeout(BIG_S)
        try:
            link.sendall(b"x" * BIG)
            _read_exactly(link, BIG)
        except (OSError, EOFError):
            return "stalled"
    return "through"


def largest_packet(address: str, port: int, token: str, device_mtu: int) -> int | None:
    """Bytes of the largest IP packet that arrives unbroken, at most what the interface takes; None: datagrams do not arrive at all."""
    family, number = resolve(address)[0]
    header = 28 if family == socket.AF_INET else 48
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        if family == socket.AF_INET:
            s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
        else:
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)
        s.connect((number, port))
        s.settimeout(DATAGRAM_S)
        # A datagram cannot be larger than 64 KiB, the loopback's packets can.
        most = min(device_mtu, 65_535)
        if _arrives(s, token, most - header):
            return most
        low, high = 576, most
        if not _arrives(s, token, low - header):
            return None
        while high - low > 8:
            middle = (low + high) // 2
            low, high = (middle, high) if _arrives(s, token, middle - header) else (low, middle)
        return low


def _arrives(s: socket.socket, token: str, size: int) -> bool:
    for _ in range(DATAGRAM_TRIES):
        try:
            s.send(token.encode().ljust(size, b"x"))
            deadline = time.monotonic() + DATAGRAM_S
            while time.monotonic() < deadline:
                if s.recv(200) == f"{token} {size}".encode():
                    return True
        except socket.timeout:
            continue
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                return False
            time.sleep(DATAGRAM_S)  # refused by an ICMP of before
    return False


def bandwidth(address: str, port: int, token: str, seconds: float) -> float:
    """Bit/s that arrived, over several streams at once: one alone is often bound by its window. What one host's Python cannot fill is a lower bound."""
    found: list[Json] = []

    def stream() -> None:
        with contextlib.suppress(OSError, EOFError, ValueError, _NotOurs), _connect(address, port, token, "sink") as link:
            link.settimeout(seconds + ROUND_TRIP_S)
            data = bytes(CHUNK)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                link.send(data)
            link.shutdown(socket.SHUT_WR)
            found.append(json.loads(link.makefile().readline()))

    threads = [threading.Thread(target=stream, daemon=True) for _ in range(STREAMS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(seconds + 2 * ROUND_TRIP_S + CONNECT_S)
    return float(sum(each["bytes"] * 8000 / each["ms"] for each in found if each["ms"] > 0))


def route_to(address: str) -> Json | None:
    """The interface and the source address that the kernel would take; interface empty where it does not tell."""
    family, number = resolve(address)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        try:
            s.connect((number, 9))
        except OSError:
            return None
        source = str(s.getsockname()[0])
    name = ""
    with contextlib.suppress(OSError, struct.error):
        name = socket.if_indextoname(_out_interface(family, number))
    return {"interface": name, "source": source, "mtu": _mtu_of(name)}


def _out_interface(family: socket.AddressFamily, number: str) -> int:
    """RTM_GETROUTE of rtnetlink(7): `ip route get` without `ip`."""
    to = socket.inet_pton(family, number.partition("%")[0])
    body = struct.pack("=BBBBBBBBI", family, len(to) * 8, 0, 0, 0, 0, 0, 0, 0) + struct.pack("=HH", 4 + len(to), 1) + to
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.settimeout(1.0)
        s.bind((0, 0))
        s.send(struct.pack("=IHHII", 16 + len(body), 26, 1, 1, 0) + body)
        data = s.recv(8192)
    kind = struct.unpack_from("=H", data, 4)[0]
    at = 28
    while kind == 24 and at + 4 <= len(data):  # RTM_NEWROUTE
        size, what = struct.unpack_from("=HH", data, at)
        if what == 4:  # RTA_OIF
            return int(struct.unpack_from("=I", data, at + 4)[0])
        at += max(4, (size + 3) & ~3)
    raise OSError(errno.ENETUNREACH, "no route")


def tailscale_ping(address: str) -> str | None:
    """Both streams of `tailscale ping`; None: it does not apply. Its packets are few, and a path that is idle shows only when it is used."""
    number = resolve(address)[0][1]
    packed = socket.inet_aton(number) if ":" not in number else b""
    is_tailnet = (packed[:1] == b"d" and 64 <= packed[1] <= 127) if packed else number.startswith("fd7a:115c:a1e0:")
    if not is_tailnet:
        return None
    try:
        done = subprocess.run(
            ["tailscale", "ping", "-c", "5", "--timeout", "2s", number], stdin=subprocess.DEVNULL, capture_output=True, timeout=PING_S, check=False
        )
    except FileNotFoundError:
        return None
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).decode("utf-8", "replace")[-4000:]


def _mtu_of(name: str) -> int:
    try:
        with open(f"/sys/class/net/{name}/mtu", encoding="ascii") as f:
            return int(f.read())
    except (OSError, ValueError):
        return 0
