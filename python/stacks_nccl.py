"""What torch's flight recorder and NCCL's own monitor (RAS) know of the ranks of this host. Both are asked without touching the ranks' work."""

from __future__ import annotations

import io
import os
import pickle
import re
import socket
import time
from typing import Any

# torch looks at its pipe once a second.
_DUMP_S = 2.5
_DUMP_MAX = 32 * 1024 * 1024
_GROUPS_MAX = 16
_WORD_MAX = 200
_RAS_PORT = 28028
_RAS_S = 1.5
_RAS_MAX = 64 * 1024
_RAS_LINES = 120


class _Plain(pickle.Unpickler):
    """Only dicts, lists, texts and numbers: a rank may have written anything there."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} has no business in a flight recorder")


class Recorder:
    """The flight recorder of one rank: asked by a byte into its pipe, it answers with a file. The prologue said where both are."""

    def __init__(self, directory: str, rank: int) -> None:
        self._dump = os.path.join(directory, f"fr_dump_{rank}")
        self._before = self._stamp()
        self._is_asked = _poke(os.path.join(directory, f"fr_{rank}.pipe"))

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = os.stat(self._dump)
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size

    def answer(self, asked_at: float) -> list[dict[str, Any]]:
        """Waits until the dump is whole, no longer than _DUMP_S after `asked_at` (time.monotonic). One that a timeout left counts too."""
        while self._is_asked and time.monotonic() < asked_at + _DUMP_S:
            if self._stamp() != self._before:
                found = read_dump(self._dump)
                if found:
                    return found
            time.sleep(0.02)
        return read_dump(self._dump)


def _poke(pipe: str) -> bool:
    try:
        fd = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(fd, b"1\n") > 0
    except OSError:
        return False
    finally:
        os.close(fd)


def read_dump(path: str) -> list[dict[str, Any]]:
    """The last collective of each process group that the rank has entered; empty when there is no dump, or none that can be read."""
    try:
        with open(path, "rb") as f:
            told = _Plain(io.BytesIO(f.read(_DUMP_MAX))).load()
        entries = told["entries"]
    except (OSError, ValueError, TypeError, KeyError, EOFError, IndexError, AttributeError, ImportError, MemoryError, pickle.UnpicklingError):
        return []
    last: dict[str, dict[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else []:
        try:
            group, sequence = _group(entry), int(entry["collective_seq_id"])
            if entry.get("is_p2p") or (group in last and last[group]["sequence"] > sequence):
                continue
            last[group] = {
                "group": group,
                "op": str(entry.get("profiling_name", "")).rpartition(":")[2][:_WORD_MAX],
                "sequence": sequence,
                "state": str(entry.get("state", ""))[:_WORD_MAX],
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return list(last.values())[:_GROUPS_MAX]


def _group(entry: dict[str, Any]) -> str:
    name = entry.get("process_group") or entry.get("pg_name") or entry.get("pg_id") or ""
    return (" ".join(str(part) for part in name) if isinstance(name, (list, tuple)) else str(name)).strip()[:_WORD_MAX]


def ask_ras(pids: list[int]) -> list[str]:
    """Only the monitor of these very processes: others on this machine may have one too."""
    port = _ras_port(pids)
    if port not in _listening(pids):
        return []
    said = b""
    try:
        with socket.create_connection(("localhost", port), timeout=_RAS_S) as s:
            s.sendall(b"verbose status\n")
            until = time.monotonic() + _RAS_S
            while len(said) < _RAS_MAX and time.monotonic() < until:
                chunk = s.recv(8192)
                if not chunk:
                    break
                said += chunk
    except OSError:
        pass
    lines = [line.rstrip()[:_WORD_MAX] for line in said.decode("utf-8", "replace").splitlines()]
    return [line for line in lines if line.strip()][:_RAS_LINES]


def _ras_port(pids: list[int]) -> int:
    for pid in pids:
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                match = re.search(rb"(?:^|\0)NCCL_RAS_ADDR=[^\0]*:(\d{1,5})(?:\0|$)", f.read())
        except OSError:
            continue
        if match is not None:
            return int(match[1])
    return _RAS_PORT


def _listening(pids: list[int]) -> set[int]:
    """TCP ports that these processes listen on."""
    inodes: set[str] = set()
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                link = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
    ports: set[int] = set()
    for table in ("tcp", "tcp6") if inodes else ():
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as f:
                rows = [line.split() for line in f.readlines()[1:]]
        except OSError:
            continue
        ports.update(int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 9 and row[3] == "0A" and row[9] in inodes)
    return ports
