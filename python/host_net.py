"""The network interfaces of this host and their addresses, without any package."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from typing import Any

from host_wire import read_text

Json = dict[str, Any]


class _Sockaddr(ctypes.Structure):
    _fields_ = [("family", ctypes.c_uint16), ("data", ctypes.c_uint8 * 26)]


class _Ifaddrs(ctypes.Structure):
    pass


_Ifaddrs._fields_ = [
    ("next", ctypes.POINTER(_Ifaddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("addr", ctypes.POINTER(_Sockaddr)),
    ("netmask", ctypes.c_void_p),
    ("ifu", ctypes.c_void_p),
    ("data", ctypes.c_void_p),
]


def _by_getifaddrs() -> dict[str, list[str]]:
    libc = ctypes.CDLL(None, use_errno=True)
    head = ctypes.POINTER(_Ifaddrs)()
    if libc.getifaddrs(ctypes.byref(head)) != 0:
        raise OSError(ctypes.get_errno(), "getifaddrs")
    found: dict[str, list[str]] = {}
    try:
        entry = head
        while entry:
            name = entry.contents.name.decode("utf-8", "replace")
            addresses = found.setdefault(name, [])
            if entry.contents.addr:
                family = entry.contents.addr.contents.family
                raw = bytes(entry.contents.addr.contents.data)
                if family == socket.AF_INET:
                    addresses.append(socket.inet_ntop(socket.AF_INET, raw[2:6]))
                elif family == socket.AF_INET6:
                    addresses.append(socket.inet_ntop(socket.AF_INET6, raw[6:22]))
            entry = entry.contents.next
    finally:
        libc.freeifaddrs(head)
    return found


def _by_proc() -> dict[str, list[str]]:
    """The way without ctypes: one IPv4 address an interface, all of IPv6."""
    found: dict[str, list[str]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            found[name] = []
            try:
                answer = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
                found[name].append(socket.inet_ntoa(answer[20:24]))
            except OSError:
                pass
    for line in read_text("/proc/net/if_inet6").splitlines():
        fields = line.split()
        if len(fields) == 6:
            found.setdefault(fields[5], []).append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
    return found


def interfaces() -> list[Json]:
    try:
        found = _by_getifaddrs()
    except (OSError, AttributeError, ValueError):
        found = _by_proc()
    listed: list[Json] = []
    for name, addresses in found.items():
        base = os.path.join("/sys/class/net", name)
        mtu = read_text(os.path.join(base, "mtu")).strip()
        flags = read_text(os.path.join(base, "flags")).strip()
        up = bool(int(flags, 16) & 1) if flags else bool(addresses)
        listed.append({"name": name, "mtu": int(mtu) if mtu.isdigit() else 0, "up": up, "addresses": addresses})
    return listed
