"""What every part of the host helper shares: its failures, its directories and the reading of /proc."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
import tempfile
from typing import Any, NoReturn

Json = dict[str, Any]


class Failure(Exception):
    """An expected failure: travels as {"ok": false, "code", "text"}."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def room(path: str) -> str:
    """What is left on the disk that holds `path`, or the nearest directory above that is there."""
    while path not in ("", "/") and not os.path.isdir(path):
        path = os.path.dirname(path)
    try:
        found = os.statvfs(path or "/")
    except OSError:
        return ""
    return f" (the disk of {path}: {found.f_bavail * found.f_frsize} bytes and {found.f_favail} files free)"


def raise_os(error: OSError, path: str) -> NoReturn:
    """Names a full disk, a read-only file system and a refusal as such."""
    where = str(error.filename or path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise Failure("DISK_FULL", f"no space left at {where}{room(where)}") from error
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        raise Failure("NOT_WRITABLE", f"{where}: {error.strerror}") from error
    raise Failure("HOST_IO", f"{where}: {error.strerror}") from error


def read_text(path: str) -> str:
    """Empty when it cannot be read: absence is an answer in /proc."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, or None when there is no such process or it is a zombie."""
    text = read_text(f"/proc/{pid}/stat")
    if not text:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def boot_id() -> str:
    return read_text("/proc/sys/kernel/random/boot_id").strip()


def namespaces() -> tuple[int, int]:
    """Inodes of the PID and the network namespace; 0 where /proc does not tell."""
    found: list[int] = []
    for name in ("pid", "net"):
        try:
            found.append(os.stat(f"/proc/self/ns/{name}").st_ino)
        except OSError:
            found.append(0)
    return found[0], found[1]


def make_private(path: str) -> str:
    """Makes or checks a directory that is ours alone: a real directory, our uid, mode 0700."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Failure("RUNTIME_DIR", f"{path} is not a directory of user {os.getuid()}")
    if found.st_mode & 0o077:
        if os.listdir(path):
            raise Failure("RUNTIME_DIR", f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):o})")
        os.chmod(path, 0o700)
    return path


def runtime_bases() -> list[str]:
    """Where sockets, locks and tokens may live: local disk first, so that one NFS home serves many hosts."""
    uid = os.getuid()
    return [f"/tmp/nexadist-{uid}", f"/dev/shm/nexadist-{uid}"]


def runtime_base() -> str:
    problems: list[str] = []
    for base in runtime_bases():
        try:
            return make_private(base)
        except Failure as failure:
            problems.append(failure.text)
        except OSError as error:
            problems.append(f"{base}: {error.strerror}")
    raise Failure("RUNTIME_DIR", "; ".join(problems))


def secrets_base() -> str:
    """Memory, so that a secret never reaches a disk; the runtime directory where there is none."""
    try:
        if os.path.ismount("/dev/shm"):
            return make_private(f"/dev/shm/nexadist-{os.getuid()}")
    except (Failure, OSError):
        pass
    return runtime_base()


def write_private(path: str, text: str) -> None:
    """A 0600 file that is whole or absent."""
    # Hosts that share a home share this directory, and containers their pids.
    fd, temporary = tempfile.mkstemp(prefix=f"{os.path.basename(path)}.", suffix=".new", dir=os.path.dirname(path))
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def read_json(path: str) -> Json:
    try:
        value = json.loads(read_text(path) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def names_in(directory: str) -> list[str]:
    """Sorted; none when it is gone: another host that shares this home may uninstall at the same time."""
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def made_lists(state_dir: str) -> list[str]:
    return [os.path.join(state_dir, name) for name in names_in(state_dir) if name.startswith("made-") and name.endswith(".json")]


def make_state(state_dir: str) -> str:
    """Makes the state directory and remembers which of its parents did not exist, so that uninstall leaves none of them."""
    if not os.path.isabs(state_dir):
        raise Failure("STATE_DIR", f"{state_dir} is not an absolute path")
    if os.path.isdir(state_dir):
        return state_dir
    absent: list[str] = []
    parent = state_dir
    while not os.path.isdir(parent):
        absent.append(parent)
        parent = os.path.dirname(parent)
    made: list[str] = []
    try:
        for path in reversed(absent):
            try:
                os.mkdir(path, 0o700 if path == state_dir else 0o777)
                made.append(path)
            except FileExistsError:
                pass  # hosts that share this home may be making it at this instant: each remembers what it made itself
        if made:
            write_private(os.path.join(state_dir, f"made-{secrets.token_hex(4)}.json"), json.dumps({"dirs": made}))
    except OSError as error:
        raise_os(error, state_dir)
    return state_dir
