"""The few system calls that the lab needs and that Python 3.9 does not offer."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19

MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def set_namespace(fd: int) -> None:
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(0)), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    done = _libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)
    _check(done, f"mount {source} on {target}")


def bind(source: str, target: str, flags: int = 0) -> None:
    """A bind mount; extra flags need a second call, since the first ignores them."""
    mount(source, target, "", MS_BIND | MS_REC)
    if flags:
        mount(source, target, "", MS_BIND | MS_REMOUNT | flags)


def unmount_lazily(target: str) -> None:
    _check(_libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def pivot_root(new: str, put_old: str) -> None:
    _check(_libc.pivot_root(new.encode(), put_old.encode()), f"pivot_root {new}")


def set_hostname(name: str) -> None:
    raw = name.encode()
    _check(_libc.sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")


def set_process_name(name: str) -> None:
    _libc.prctl(ctypes.c_int(PR_SET_NAME), ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def die_with_parent(signal_number: int) -> None:
    _libc.prctl(ctypes.c_int(PR_SET_PDEATHSIG), ctypes.c_ulong(signal_number), 0, 0, 0)


def wipe_command_line(name: str) -> None:
    """Overwrites this process's own argv and environment in memory: `ps` in a host must show neither paths nor secrets of this machine."""
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    argv_start, argv_end, env_start, env_end = (int(field) for field in fields[45:49])  # fields 48 to 51 of proc(5)
    ctypes.memset(argv_start, 0, argv_end - argv_start)
    ctypes.memset(env_start, 0, env_end - env_start)
    text = name.encode()[: argv_end - argv_start - 1]
    ctypes.memmove(argv_start, text, len(text))
