"""The claims of the attempt's run, held by the shim too: they stay the run's also when the program that took them is killed."""

from __future__ import annotations

import array
import json
import os
import socket
import time
from typing import Any, Callable

import claims

# Somebody who only looks has a lock for a moment.
_TRY_S = 3.0
_ANSWER_S = 10.0
_DESCRIPTORS_MAX = 250


class GpuBusy(Exception):
    """One of them is another's; the text says which."""


def take(claim: dict[str, Any]) -> Callable[[], None]:
    """From the holder, or anew where that is gone. What is returned lets them go. Raises GpuBusy."""
    wanted: list[str] = claim["gpus"]
    gpus, descriptors = _ask_holder(claim["socket"])

    def release() -> None:
        for fd in descriptors:
            os.close(fd)

    if set(wanted) <= set(gpus):
        return release
    release()
    return _take_anew(wanted)


def _ask_holder(path: str) -> tuple[list[str], list[int]]:
    """The GPUs that it has, and its locks; none where it is gone."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as holder:
            holder.settimeout(_ANSWER_S)
            holder.connect(path)
            holder.sendall(b'{"do": "share"}\n')
            size = array.array("i").itemsize
            text, extra, _, _ = holder.recvmsg(65536, socket.CMSG_SPACE(_DESCRIPTORS_MAX * size), socket.MSG_CMSG_CLOEXEC)
            descriptors = array.array("i")
            for level, kind, data in extra:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(data[: len(data) - len(data) % size])
            while not text.endswith(b"\n"):
                more = holder.recv(65536)
                if not more:
                    break
                text += more
            return [str(gpu) for gpu in json.loads(text)["gpus"]], list(descriptors)
    except (OSError, ValueError, KeyError, TypeError):
        return [], []


def _take_anew(wanted: list[str]) -> Callable[[], None]:
    until = time.monotonic() + _TRY_S
    try:
        directory = claims.open_directory()
        taken: dict[str, int] = {}
        for gpu in sorted(wanted):
            while gpu not in taken:
                fd = claims.lock(directory, claims.file_of(gpu))
                if fd is not None:
                    taken[gpu] = fd
                elif time.monotonic() > until:
                    raise GpuBusy(f"GPU {gpu} was taken by {_who(directory, gpu)} meanwhile")
                else:
                    time.sleep(0.05)
    except claims.Unusable as error:
        raise GpuBusy(str(error)) from None
    except FileNotFoundError:
        return _take_anew(wanted)  # the directory was put away in between

    def release() -> None:
        for gpu, fd in taken.items():
            claims.unlock(directory, claims.file_of(gpu), fd)
        os.close(directory)

    return release


def _who(directory: int, gpu: str) -> str:
    owner = next((card for card in claims.read_cards(directory) if gpu in (card.said.get("gpus") or [])), None)
    if owner is not None:
        return f"run {str(owner.said.get('run'))[:128]} of {owner.user}"
    found = claims.locker(directory, claims.file_of(gpu))
    return f"pid {found['pid']} of {found['user']}" if found else "another process"
