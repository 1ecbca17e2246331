"""Bundles and runtimes on this host, by hash: nothing is visible before it is verified."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import struct
import time
import zlib
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from host_wire import Failure, boot_id, make_state, raise_os, read_json, write_private

Json = dict[str, Any]
KINDS = {"bundle": "bundles", "node": "node"}
MARKER = ".verified"
CHUNK = 1 << 18
# As the sender packs: controller/reach/pack.ts.
BLOCK = 1 << 20
# A peer that went away without a word would leave us waiting, with half a file, for as long as sshd takes to notice.
SILENCE_S = 90
# A temporary directory this old belongs to an upload that died; other hosts may share the home, so no PID can tell.
STALE_S = 3600


def place(state_dir: str, kind: str, digest: str) -> str:
    if kind not in KINDS or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}", digest):
        raise Failure("BAD_REQUEST", f"not a {kind} hash: {digest[:80]}")
    return os.path.join(state_dir, KINDS[kind], digest)


def is_present(directory: str) -> bool:
    """Whole, and known to be: written in this boot, or seen on the disk since (`settle`), or read again now."""
    marker = read_json(os.path.join(directory, MARKER))
    files = marker.get("files")
    if not isinstance(files, list) or not files:
        return False
    is_settled = marker.get("boot", boot_id()) == boot_id()
    for file in files:
        path = os.path.join(directory, file["name"])
        try:
            if os.stat(path).st_size != file["size"] or not (is_settled or hash_file(path) == file["sha256"]):
                return False
        except OSError:
            return False
    return True


def hash_file(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for data in iter(lambda: file.read(CHUNK), b""):
            digest.update(data)
    return digest.hexdigest()


def present(state_dir: str) -> Json:
    """Hashes of the bundles and runtimes that need not be brought."""
    found: dict[str, list[str]] = {}
    for kind, base in KINDS.items():
        parent = os.path.join(state_dir, base)
        names = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
        found[kind] = [name for name in names if not name.startswith(".") and is_present(os.path.join(parent, name))]
    return found


def read_some(source: IO[bytes], size: int) -> bytes:
    """Empty at the end; a peer that sends nothing for SILENCE_S ends the upload."""
    signal.alarm(SILENCE_S)
    data: bytes = source.read1(size)  # type: ignore[attr-defined]
    signal.alarm(0)
    return data


def read_all(source: IO[bytes], size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        data = read_some(source, min(CHUNK, size))
        if not data:
            raise Failure("UPLOAD_CUT", f"the upload ended {size} bytes inside a block")
        size -= len(data)
        parts.append(data)
    return b"".join(parts)


def unpack(packed: bytes, size: int) -> bytes:
    engine = zlib.decompressobj(-15)
    try:
        data = engine.decompress(packed, size)
    except zlib.error as error:
        raise Failure("UPLOAD_BAD", f"a block of the upload is not deflate: {error}") from error
    if len(data) != size:
        raise Failure("UPLOAD_BAD", f"a block of the upload holds {len(data)} bytes, not {size}")
    return data


def blocks(source: IO[bytes], total: int) -> Iterator[bytes]:
    """Blocks that were deflated one by one are unpacked side by side (zlib lets other threads run) and come in order. Each stands behind two lengths."""
    from concurrent.futures import Future, ThreadPoolExecutor  # loaded by uploads only: every call of the helper would wait for it

    width = min(4, len(os.sched_getaffinity(0)))
    ahead: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(width) as pool:
        while total > 0 or ahead:
            if total == 0 or len(ahead) > 2 * width:
                yield ahead.popleft().result()
                continue
            packed, size = struct.unpack(">II", read_all(source, 8))
            if not 0 < size <= min(BLOCK, total) or packed > 2 * BLOCK:
                raise Failure("UPLOAD_BAD", f"a block of {packed} bytes for {size}, with {total} to come")
            total -= size
            ahead.append(pool.submit(unpack, read_all(source, packed), size))


def pieces(source: IO[bytes], encoding: str, total: int) -> Iterator[bytes]:
    """The payload's bytes, unpacked, `total` of them at most: a bomb stops there."""
    if encoding == "blocks":
        yield from blocks(source, total)
    elif encoding != "raw":
        raise Failure("BAD_REQUEST", f"unknown encoding {encoding}")
    while encoding == "raw" and total > 0:
        data = read_some(source, min(CHUNK, total))
        if not data:
            return
        total -= len(data)
        yield data


def write_files(source: IO[bytes], encoding: str, files: list[Json], directory: str) -> None:
    """Not synced: what a power cut takes of it is found by `is_present` and brought again."""
    stream = pieces(source, encoding, sum(int(file["size"]) for file in files))
    rest = b""
    for file in files:
        name = str(file["name"])
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", name):
            raise Failure("BAD_REQUEST", f"bad file name {name[:80]}")
        left = int(file["size"])
        digest = hashlib.sha256()
        fd = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb", 0) as target:
            while left > 0:
                data = rest or next(stream, b"")
                if not data:
                    raise Failure("UPLOAD_CUT", f"the upload ended inside {name}, {left} bytes early")
                part, rest = data[:left], data[left:]
                digest.update(part)
                view = memoryview(part)
                while view:
                    view = view[target.write(view) :]
                left -= len(part)
            os.fchmod(target.fileno(), int(file.get("mode", 0o644)) & 0o755)
        if digest.hexdigest() != file["sha256"]:
            raise Failure("HASH_MISMATCH", f"{name} arrived with another sha256 than announced")


def marker_of(files: list[Json]) -> Json:
    return {"files": [{"name": file["name"], "size": file["size"], "sha256": file["sha256"]} for file in files]}


def settle(directory: str) -> None:
    """Once all is on the disk it need not be read again after a boot. For later than the first start: by then the system has written it anyway."""
    marker = read_json(os.path.join(directory, MARKER))
    if "boot" not in marker:
        return
    try:
        for file in marker["files"]:
            with open(os.path.join(directory, file["name"]), "rb") as kept:
                os.fsync(kept.fileno())
        write_private(os.path.join(directory, MARKER), json.dumps(marker_of(marker["files"])))
    except OSError:
        pass  # a home that is read-only by now: it is read again after each boot


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
    """Verifies while writing into a temporary directory, then renames; two puts of one hash are harmless. Always takes `bytes` of the payload, where given."""
    signal.signal(signal.SIGALRM, give_up)
    final = place(make_state(request["stateDir"]), request["kind"], request["hash"])
    if is_present(final):
        skip(source, int(request.get("bytes", 0)))
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
            json.dump({**marker_of(files), "boot": boot_id()}, marker)
        show(temporary, final)
    except OSError as error:
        raise_os(error, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {"dir": final, "wrote": True}


def skip(source: IO[bytes], size: int) -> None:
    while size > 0 and (data := read_some(source, min(CHUNK, size))):
        size -= len(data)


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
