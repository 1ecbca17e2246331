"""Who has which GPU of this host, across runs, controllers and users: one flock per GPU in a sticky directory that everybody shares.

The kernel's lock alone decides; it ends with its holder, however that dies. A card beside it (one file per holder, locked for as long as that lives) says in
words who it is, and who waits. Nobody can write another's files; what a stranger may put in their place (a link, a pipe, a directory) is refused, not followed.
Any user of the machine can take a lock and keep it: then the kernel tells whose process that is.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

Json = dict[str, Any]

DIRECTORY = "/tmp/nexadist-claims"
# Choosing takes milliseconds: who keeps the others from it for longer than that is not waited for, and choosing goes on without.
_MUTEX_WAIT_S = 3.0
_CARD_BYTES = 4096
_CARD = re.compile(r"card\.(\d+)\.[0-9a-f]{16}")


class Unusable(Exception):
    """The directory, or a file in it, is not what it must be; the text names whose it is."""


class Card(NamedTuple):
    """What a live holder says of itself. `user` and `uid` are the file's owner: nobody can forge them."""

    name: str
    uid: int
    user: str
    said: Json


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _owner(found: os.stat_result) -> str:
    return user_name(found.st_uid)


def open_directory() -> int:
    """Made where it is not there. Raises Unusable."""
    for _ in range(50):
        try:
            os.mkdir(DIRECTORY, 0o700)
            os.chmod(DIRECTORY, 0o1777)  # ours: nobody else can have put a link there
        except FileExistsError:
            pass
        except OSError as error:
            raise Unusable(f"{DIRECTORY} cannot be made: {error.strerror}") from None
        try:
            fd = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # its owner has just put it away
        except PermissionError:
            time.sleep(0.01)  # being made
            continue
        except OSError as error:
            raise Unusable(f"{DIRECTORY} is no directory: {error.strerror}") from None
        found = os.fstat(fd)
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != 0o1777:
            os.fchmod(fd, 0o1777)  # its maker was killed in between
        if stat.S_IMODE(os.fstat(fd).st_mode) == 0o1777:
            return fd
        os.close(fd)
        time.sleep(0.01)
    try:
        found = os.lstat(DIRECTORY)
    except OSError as error:
        raise Unusable(f"{DIRECTORY}: {error.strerror}") from None
    raise Unusable(f"{DIRECTORY}, of user {_owner(found)}, has mode {stat.S_IMODE(found.st_mode):o} and not 1777")


def file_of(gpu: str) -> str:
    """GPU-… and MIG-… as they are; whatever else there may be cannot leave the directory."""
    return "gpu." + re.sub(r"[^A-Za-z0-9-]", "_", gpu)[:100]


def _open(directory: int, name: str) -> int:
    """For reading only: a lock needs no more. Raises Unusable, FileNotFoundError when the directory was put away."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        try:
            try:
                fd = os.open(name, flags, dir_fd=directory)
            except FileNotFoundError:
                fd = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
                os.fchmod(fd, 0o644)
            break
        except FileExistsError:
            continue  # somebody else made it just now
        except (PermissionError, OSError) as error:
            if error.errno == errno.ENOENT:
                raise
            raise Unusable(f"{DIRECTORY}/{name}{_whose(directory, name)} cannot be locked: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Unusable(f"{DIRECTORY}/{name}{_whose(directory, name)} is no plain file")
    return fd


def _whose(directory: int, name: str) -> str:
    try:
        return f", of user {_owner(os.stat(name, dir_fd=directory, follow_symlinks=False))},"
    except OSError:
        return ""


def _is_at(directory: int, name: str, fd: int) -> bool:
    """A file that its owner has removed meanwhile locks nothing; neither does one in a directory that was put away."""
    try:
        there, here = os.stat(name, dir_fd=directory, follow_symlinks=False), os.fstat(fd)
        shared, ours = os.stat(DIRECTORY, follow_symlinks=False), os.fstat(directory)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) and (shared.st_dev, shared.st_ino) == (ours.st_dev, ours.st_ino)


def lock(directory: int, name: str) -> int | None:
    """The lock, for as long as the descriptor is open anywhere; None: another has it. Raises Unusable, FileNotFoundError."""
    for _ in range(1000):
        fd = _open(directory, name)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        if _is_at(directory, name, fd):
            return fd
        os.close(fd)
        if not _is_there(directory):
            raise FileNotFoundError(errno.ENOENT, "put away", DIRECTORY)
    raise Unusable(f"{DIRECTORY}/{name}{_whose(directory, name)} is replaced again and again")


def _is_there(directory: int) -> bool:
    return os.fstat(directory).st_nlink > 0


def unlock(directory: int, name: str, fd: int) -> None:
    """Lets go of our part of it; the file goes too where it is ours and nobody else (a shim that was given the lock, the next one) has it."""
    os.close(fd)
    try:
        again = lock(directory, name)
        if again is not None:
            if os.fstat(again).st_uid == os.geteuid():
                os.unlink(name, dir_fd=directory)  # locked: nobody can believe to have it
            os.close(again)
    except (OSError, Unusable):
        pass


@contextmanager
def mutex(directory: int) -> Iterator[None]:
    """One chooses at a time, so that of two who want all GPUs one gets them. No more than politeness: the locks hold without it."""
    held: int | None = None
    until = time.monotonic() + _MUTEX_WAIT_S
    while held is None and time.monotonic() < until:
        try:
            held = lock(directory, "mutex")
        except (Unusable, FileNotFoundError):
            break
        if held is None:
            time.sleep(0.01)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def put_away() -> None:
    """The directory, where it is ours and empty."""
    try:
        directory = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        with mutex(directory):
            if os.listdir(directory) == ["mutex"]:
                os.unlink("mutex", dir_fd=directory)
                os.rmdir(DIRECTORY)
    except OSError:
        pass
    os.close(directory)


def make_card(directory: int) -> tuple[str, int]:
    """Name and descriptor of a card of ours, locked before it has its name. Cards of ours that a killed holder left go."""
    for name in os.listdir(directory):
        match = _CARD.fullmatch(name)
        if match is not None and int(match[1]) == os.geteuid() and not _is_live(directory, name):
            try:
                os.unlink(name, dir_fd=directory)
            except OSError:
                pass
    token = os.urandom(8).hex()
    name = f"card.{os.geteuid()}.{token}"
    fd = os.open(f"new.{token}", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory)
    os.fchmod(fd, 0o644)
    fcntl.flock(fd, fcntl.LOCK_EX)
    write_card(fd, {})
    os.rename(f"new.{token}", name, src_dir_fd=directory, dst_dir_fd=directory)
    return name, fd


def write_card(fd: int, said: Json) -> None:
    """In one write of one length, so that no reader finds half of it."""
    text = json.dumps(said).encode()
    os.pwrite(fd, (text if len(text) < _CARD_BYTES else b"{}").ljust(_CARD_BYTES - 1) + b"\n", 0)


def _is_live(directory: int, name: str) -> bool:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(fd)


def read_cards(directory: int) -> list[Card]:
    """Of everybody who lives."""
    found: list[Card] = []
    for name in sorted(os.listdir(directory)):
        match = _CARD.fullmatch(name)
        if match is None or not _is_live(directory, name):
            continue
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        except OSError:
            continue
        try:
            about = os.fstat(fd)
            said = json.loads(os.read(fd, _CARD_BYTES)) if stat.S_ISREG(about.st_mode) and about.st_uid == int(match[1]) else None
        except (OSError, ValueError, RecursionError):
            said = None
        finally:
            os.close(fd)
        if isinstance(said, dict):
            found.append(Card(name, about.st_uid, _owner(about), said))
    return found


def locker(directory: int, name: str) -> Json:
    """The process that has a lock without a card, as the kernel tells it; nothing where it is not shown from here."""
    try:
        about = os.stat(name, dir_fd=directory, follow_symlinks=False)
        wanted = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
        with open("/proc/locks", encoding="ascii", errors="replace") as f:
            rows = [line.split() for line in f]
        pid = next(int(row[4]) for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5] == wanted)
        return {"pid": pid, "user": user_name(os.stat(f"/proc/{pid}").st_uid)}
    except (OSError, ValueError, StopIteration):
        return {}
