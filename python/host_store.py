"""Bundles and runtimes on this host, by hash: nothing is visible before it is verified."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
import zlib
from collections.abc import Iterator
from typing import IO, Any

from host_wire import Failure, make_state, raise_os, read_json

Json = dict[str, Any]
KINDS = {"bundle": "bundles", "node": "node"}
MARKER = ".verified"
CHUNK = 1 << 18
# A peer that went away without a word would leave us waiting, with half a file, for as long as sshd takes to notice.
SILENCE_S = 90
# A temporary directory this old belongs to an upload that died; other hosts may share the home, so no PID can tell.
STALE_S = 3600


def place(state_dir: str, kind: str, digest: str) -> str:
    if kind not in KINDS or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}", digest):
        raise Failure("BAD_REQUEST", f"not a {kind} hash: {digest[:80]}")
    return os.path.join(state_dir, KINDS[kind], digest)


def is_present(directory: str) -> bool:
    files = read_json(os.path.join(directory, MARKER)).get("files")
    if not isinstance(files, list) or not files:
        return False
    for file in files:
        try:
            if os.stat(os.path.join(directory, file["name"])).st_size != file["size"]:
                return False
        except OSError:
            return False
    return True


def have(request: Json) -> Json:
    state_dir = request["stateDir"]
    bundles = [digest for digest in request.get("bundles", []) if is_present(place(state_dir, "bundle", digest))]
    node = request.get("node")
    return {"bundles": bundles, "node": bool(node) and is_present(place(state_dir, "node", str(node)))}


def pieces(source: IO[bytes], encoding: str, total: int) -> Iterator[bytes]:
    """The payload's bytes, unpacked, `total` of them at most: a bomb stops there."""
    left = total
    if encoding == "raw":
        while left > 0:
            data = source.read(min(CHUNK, left))
            if not data:
                return
            left -= len(data)
            yield data
        return
    if encoding != "gzip":
        raise Failure("BAD_REQUEST", f"unknown encoding {encoding}")
    unpack = zlib.decompressobj(31)
    try:
        while left > 0 and not unpack.eof:
            packed = unpack.unconsumed_tail or source.read1(CHUNK)  # type: ignore[attr-defined]
            if not packed:
                return
            data = unpack.decompress(packed, min(CHUNK, left))
            left -= len(data)
            if data:
                yield data
    except zlib.error as error:
        raise Failure("UPLOAD_BAD", f"the upload is not gzip: {error}") from error


def write_files(source: IO[bytes], encoding: str, files: list[Json], directory: str) -> None:
    stream = pieces(source, encoding, sum(int(file["size"]) for file in files))
    rest = b""
    for file in files:
        name = str(file["name"])
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", name):
            raise Failure("BAD_REQUEST", f"bad file name {name[:80]}")
        left = int(file["size"])
        digest = hashlib.sha256()
        fd = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as target:
            while left > 0:
                signal.alarm(SILENCE_S)
                data = rest or next(stream, b"")
                signal.alarm(0)
                if not data:
                    raise Failure("UPLOAD_CUT", f"the upload ended inside {name}, {left} bytes early")
                part, rest = data[:left], data[left:]
                digest.update(part)
                target.write(part)
                left -= len(part)
            target.flush()
            os.fchmod(target.fileno(), int(file.get("mode", 0o644)) & 0o755)
            os.fsync(target.fileno())
        if digest.hexdigest() != file["sha256"]:
            raise Failure("HASH_MISMATCH", f"{name} arrived with another sha256 than announced")


def sync_dir(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sweep_stale(parent: str) -> None:
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        try:
            if name.startswith(".tmp-") and os.lstat(path).st_mtime < time.time() - STALE_S:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass


def give_up(*_: object) -> None:
    raise Failure("UPLOAD_CUT", f"nothing arrived for {SILENCE_S} s")


def put(request: Json, source: IO[bytes]) -> Json:
    """Verifies while writing into a temporary directory, then renames; two puts of one hash are harmless."""
    signal.signal(signal.SIGALRM, give_up)
    final = place(make_state(request["stateDir"]), request["kind"], request["hash"])
    if is_present(final):
        return {"dir": final, "wrote": False}
    parent = os.path.dirname(final)
    temporary = os.path.join(parent, f".tmp-{os.getpid()}-{os.urandom(4).hex()}")
    files: list[Json] = request["files"]
    try:
        os.makedirs(parent, 0o700, exist_ok=True)
        sweep_stale(parent)
        os.mkdir(temporary, 0o700)
        write_files(source, request.get("encoding", "raw"), files, temporary)
        with open(os.path.join(temporary, MARKER), "w", encoding="utf-8") as marker:
            json.dump({"files": [{"name": file["name"], "size": file["size"]} for file in files]}, marker)
            marker.flush()
            os.fsync(marker.fileno())
        sync_dir(temporary)
        show(temporary, final)
        sync_dir(parent)
    except OSError as error:
        raise_os(error, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {"dir": final, "wrote": True}


def show(temporary: str, final: str) -> None:
    """Renames into place; what stands there and is whole wins, what is broken is replaced."""
    try:
        os.rename(temporary, final)
    except OSError:
        if is_present(final):
            return
        broken = f"{temporary}-broken"
        os.rename(final, broken)
        os.rename(temporary, final)
        shutil.rmtree(broken, ignore_errors=True)
