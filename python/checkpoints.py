"""Tells which checkpoints lie in a directory, and of each file whether it is whole. Nothing is unpickled; nothing outside of the directory is read.

`python -I -S checkpoints.py ROOT` prints one line of JSON: {"candidates": [...], "problem": "" or why there are none}.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from typing import Any

# Newest candidates that are told of; a reply must fit one frame of the link (1 MiB).
CANDIDATES_MAX = 16
REPLY_MAX = 900_000
# Per candidate; a checkpoint of 4096 ranks has about that many.
FILES_MAX = 10_000
SUBDIRECTORIES_MAX = 200
# More than this is no index of file names.
INDEX_MAX = 256 * 1024 * 1024

ZIPS = (".pt", ".pth", ".ckpt", ".bin")
FILES = (*ZIPS, ".safetensors")
WORDS = ("global_step", "step", "iteration", "iter", "checkpoint", "ckpt", "epoch")
SHARD = re.compile(rb"__\d{1,6}_\d{1,6}\.distcp")


def step_of(name: str, is_directory: bool) -> int | None:
    """The number that a name counts steps (or epochs) with; None: it has none, or is one rank's part."""
    stem = name.lower()
    if not is_directory:
        stem, suffix = os.path.splitext(stem)
        if suffix not in FILES:
            return None
    if "rank" in stem or "tmp" in stem or "part" in stem or stem.startswith(".") or not is_text(name):
        return None
    for word in WORDS:
        found = re.findall(word + r"[-_=]?(\d{1,15})(?!\d)", stem)
        if found:
            return int(found[-1])
    last = re.search(r"(?:^|[-_])(\d{1,15})$", stem) if is_directory else None
    return int(last[1]) if last else None


def is_text(name: str) -> bool:
    """JSON and Node know no file names but those of UTF-8, and a name that drives terminals is no trainer's."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()


def is_whole_zip(path: str) -> bool:
    """The directory of a zip archive is its end: it is there when all before it was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            return len(archive.infolist()) > 0
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return False


def is_whole_safetensors(path: str, size: int) -> bool:
    """Eight bytes of length, a JSON header of that length, then data as far as the header says."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 0 < length <= min(size - 8, INDEX_MAX):
            return False
        try:
            header = json.loads(file.read(length))
            end = max((int(tensor["data_offsets"][1]) for name, tensor in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return False
    return size == 8 + length + end


def read_json(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            return json.loads(file.read(INDEX_MAX))
    except (OSError, ValueError):
        return None


def is_whole(path: str, name: str, size: int) -> bool:
    try:
        if name == ".metadata":
            with open(path, "rb") as file:
                # A pickle ends in a STOP; torch writes it beside its place and renames it.
                file.seek(max(0, size - 1))
                return file.read(1) == b"."
        if name.endswith(ZIPS):
            return is_whole_zip(path)
        if name.endswith(".safetensors"):
            return is_whole_safetensors(path, size)
        return not name.endswith(".json") or read_json(path) is not None
    except OSError:
        return False


def promised_by(path: str, name: str) -> list[str] | None:
    """The files beside it that an index file names; None: it is no index file."""
    if name == ".metadata":
        with open(path, "rb") as file:
            return sorted({shard.decode() for shard in SHARD.findall(file.read(INDEX_MAX))})
    if name.endswith(".index.json"):
        index = read_json(path)
        names = index.get("weight_map") if isinstance(index, dict) else None
        return sorted({str(value) for value in names.values()}) if isinstance(names, dict) else []
    return None


def files_beneath(directory: str, prefix: str = "", depth: int = 2) -> Iterator[tuple[str, os.stat_result]]:
    """Regular files by their path from the candidate; no link is followed."""
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            info = entry.stat(follow_symlinks=False)
            if not is_text(entry.name):
                continue
            if stat.S_ISREG(info.st_mode):
                yield prefix + entry.name, info
            elif stat.S_ISDIR(info.st_mode) and depth > 0:
                yield from files_beneath(entry.path, f"{prefix}{entry.name}/", depth - 1)


def file_fact(path: str, shown: str, info: os.stat_result, ahead: float) -> dict[str, Any]:
    return {
        "path": shown,
        "size": info.st_size,
        "mtimeMs": int((info.st_mtime - ahead) * 1000),
        "id": f"{info.st_ino}:{info.st_mtime_ns}:{info.st_size}",
        "isWhole": is_whole(path, os.path.basename(path), info.st_size),
    }


def is_shard(name: str) -> bool:
    return name == ".metadata" or re.fullmatch(r"__\d+_\d+\.distcp", name) is not None


def is_checkpoint_directory(path: str) -> bool:
    """Of a kind that can be told whole from torn: the Trainer's of Hugging Face, or torch.distributed.checkpoint's."""
    if step_of(os.path.basename(path), True) is None:
        return False
    return re.fullmatch(r"checkpoint-\d+", os.path.basename(path)) is not None or any(is_shard(name) for name in os.listdir(path))


def describe(root: str, name: str, ahead: float) -> dict[str, Any] | None:
    """One candidate; None: it is none after all."""
    path = os.path.join(root, name)
    base = os.path.basename(name)
    info = os.lstat(path)
    step = step_of(base, stat.S_ISDIR(info.st_mode))
    if step is None:
        return None
    if stat.S_ISREG(info.st_mode):
        return {"name": name, "step": step, "kind": "file", "files": [file_fact(path, "", info, ahead)], "promised": {}}
    found = [each for _, each in zip(range(FILES_MAX), files_beneath(path)) if not each[0].endswith((".tmp", ".nexadist-part"))]
    promised = {}
    for shown, _ in found:
        inside, _, last = shown.rpartition("/")
        names = promised_by(os.path.join(path, shown), last)
        if names is not None:
            promised[shown] = [f"{inside}/{each}" if inside else each for each in names]
    files = [file_fact(os.path.join(path, shown), shown, each, ahead) for shown, each in found]
    return {"name": name, "step": step, "kind": "dcp" if any(is_shard(shown) for shown, _ in found) else "hf", "files": files, "promised": promised}


def names_in(root: str, under: str = "") -> Iterator[tuple[float, str]]:
    """What may be a checkpoint, with its time: in the directory itself and in its subdirectories that are none."""
    subdirectories = 0
    with os.scandir(os.path.join(root, under)) as entries:
        for entry in entries:
            info = entry.stat(follow_symlinks=False)
            name = f"{under}/{entry.name}" if under else entry.name
            if stat.S_ISREG(info.st_mode):
                if step_of(entry.name, False) is not None:
                    yield info.st_mtime, name
            elif stat.S_ISDIR(info.st_mode) and not entry.name.startswith(".") and is_text(entry.name):
                try:
                    if is_checkpoint_directory(entry.path):
                        yield info.st_mtime, name
                    elif not under and subdirectories < SUBDIRECTORIES_MAX:
                        subdirectories += 1
                        yield from names_in(root, entry.name)
                except OSError:
                    continue  # not ours to read, or gone


def clock_ahead(root: str) -> float:
    """Seconds that the file system's clock is ahead of ours: a file server has its own. 0 where nothing may be written."""
    try:
        with tempfile.TemporaryFile(prefix=".nexadist-clock-", dir=root) as file:
            file.write(b".")
            file.flush()
            ahead = os.fstat(file.fileno()).st_mtime - time.time()
    except OSError:
        return 0.0
    # Kernels stamp with the time of their last tick.
    return ahead if abs(ahead) > 1 else 0.0


def scan(root: str) -> dict[str, Any]:
    try:
        names = [name for _, name in sorted(names_in(root), reverse=True)]
    except FileNotFoundError:
        return {"candidates": [], "problem": ""}
    except OSError as error:
        return {"candidates": [], "problem": f"{root}: {error.strerror}"}
    ahead = clock_ahead(root)
    candidates: list[dict[str, Any]] = []
    room = REPLY_MAX
    for name in names:
        if len(candidates) >= CANDIDATES_MAX:
            break
        try:
            one = describe(root, name, ahead)
        except OSError:
            continue  # it goes away while we look
        if one is None:
            continue
        room -= len(json.dumps(one))
        if room < 0:
            break
        candidates.append(one)
    return {"candidates": candidates, "problem": ""}


if __name__ == "__main__":
    json.dump(scan(sys.argv[1]), sys.stdout)
