"""What a host knows of the end of an attempt, as JSON: evidence.py ATTEMPT_DIR SINCE_MS [DIRECTORY...] (error files of ranks, the kernel's log, full disks)."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import threading
import time

MESSAGE_MAX = 4096
CALLSTACK_MAX = 16384
LINE_MAX = 512
LINES_MAX = 200
RANKS_MAX = 64
FILE_MAX = 1024 * 1024
# Tools are asked no longer than that, seconds; the agent waits 2.5.
TOOL_S = 1.0
# A file system that does not answer is asked no longer than what is left of the agent's patience, seconds; it is asked all the while the others are.
DISKS_S = 0.3
# Less than that free, in bytes, is full where the disk is larger than ten times as much.
FULL_BYTES = 64 * 1024 * 1024

# Only what may end a rank leaves the host.
INTEREST = re.compile(
    r"NVRM|nvidia-nvswitch|oom-kill|Out of memory|out of memory|Killed process|oom_reaper|AER:|PCIe Bus Error|blocked for more than|segfault at|traps:"
    r"|general protection|mce: |Hardware Error|mlx5_core|nvme\S* .*(?:timeout|error)|I/O error|EXT4-fs error|XFS .*(?:error|shutdown)|nfs: server"
)


def error_files(directory: str) -> list[dict[str, object]]:
    """The earliest first. A file that is no JSON is told as the text that it is."""
    found: list[dict[str, object]] = []
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    for name in names:
        match = re.fullmatch(r"rank(0|[1-9]\d{0,4})\.json", name)
        if match is None:
            continue
        try:
            # A rank may have put anything there: a pipe must not hold us up.
            fd = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, encoding="utf-8", errors="replace") as f:
                text = f.read(FILE_MAX)
                written_ms = os.fstat(f.fileno()).st_mtime * 1000
        except (OSError, ValueError):
            continue
        message, callstack, at = parse_error(text)
        if message:
            # Theirs is in whole seconds, rounded down; the file was written in the same or a later one.
            exact = at if at > 0 and abs(written_ms - at) > 5000 else written_ms
            found.append({"rank": int(match[1]), "message": message[:MESSAGE_MAX], "callstack": callstack[-CALLSTACK_MAX:], "at": int(exact)})
    found.sort(key=lambda error: (str(error["at"]).zfill(20), str(error["rank"]).zfill(6)))
    return found[:RANKS_MAX]


def parse_error(text: str) -> tuple[str, str, float]:
    """Message, call stack and time (ms, 0: not told) of {"message": {"message", "extraInfo": {"py_callstack", "timestamp"}}} or {"message": "text"}."""
    try:
        inner = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text.strip(), "", 0.0
    if not isinstance(inner, dict):
        return str(inner), "", 0.0
    extra = inner.get("extraInfo")
    extra = extra if isinstance(extra, dict) else {}
    try:
        at = float(str(extra.get("timestamp", 0))) * 1000
    except ValueError:
        at = 0.0
    return str(inner.get("message", "")), str(extra.get("py_callstack", "")), at if 0 < at < 1e15 else 0.0


def kernel_lines(since_ms: float) -> tuple[list[dict[str, object]], str | None]:
    """The first source that may be read wins; the reason of the last where none may."""
    why = "no kernel log"
    for source in (from_kmsg, from_dmesg, from_journal):
        try:
            lines = source(since_ms)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            why = f"{source.__name__[5:]}: {getattr(error, 'strerror', None) or error}"[:LINE_MAX]
            continue
        wanted = [line for line in lines if INTEREST.search(str(line["text"]))]
        return wanted[-LINES_MAX:], None
    return [], why


def boot_ms() -> float:
    """The kernel stamps its lines with its own clock, which begins at boot and stands still while the machine sleeps."""
    return (time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)) * 1000


def from_kmsg(since_ms: float) -> list[dict[str, object]]:
    boot = boot_ms()
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found: list[dict[str, object]] = []
    try:
        while True:
            try:
                record = os.read(fd, 8192).decode("utf-8", "replace")
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten while we read: the next one is there
                    continue
                raise
            if not record:
                return found
            head, _, text = record.partition(";")
            at = boot + int(head.split(",")[2]) / 1000
            if at >= since_ms:
                found.append({"at": int(at), "text": text.split("\n")[0][:LINE_MAX]})
    finally:
        os.close(fd)


def ask(argv: list[str]) -> str:
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TOOL_S, check=False, env=environment)
    if done.returncode != 0:
        raise ValueError(done.stderr.decode("utf-8", "replace").strip() or f"exit {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def from_dmesg(since_ms: float) -> list[dict[str, object]]:
    boot = boot_ms()
    found: list[dict[str, object]] = []
    for line in ask(["dmesg"]).splitlines():
        match = re.match(r"\[\s*(\d+\.\d+)\] (.*)", line)
        if match is not None and boot + float(match[1]) * 1000 >= since_ms:
            found.append({"at": int(boot + float(match[1]) * 1000), "text": match[2][:LINE_MAX]})
    return found


def from_journal(since_ms: float) -> list[dict[str, object]]:
    text = ask(["journalctl", "-k", "-q", "-o", "short-unix", "--no-pager", "-n", "2000", f"--since=@{int(since_ms // 1000)}"])
    found: list[dict[str, object]] = []
    for line in text.splitlines():
        match = re.match(r"(\d+\.\d+) \S+ kernel: (.*)", line)
        if match is not None:
            found.append({"at": int(float(match[1]) * 1000), "text": match[2][:LINE_MAX]})
    if not found:
        raise ValueError("it shows this user nothing")  # what a user outside of its groups is answered with
    return found


def is_full(path: str) -> bool:
    """Of a directory that is not there yet, its nearest parent counts."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    disk = os.statvfs(path)
    # What is kept back for root counts for root alone.
    blocks, inodes = (disk.f_bfree, disk.f_ffree) if os.geteuid() == 0 else (disk.f_bavail, disk.f_favail)
    free, total = blocks * disk.f_frsize, disk.f_blocks * disk.f_frsize
    return total > 0 and (free * 100 < total or (free < FULL_BYTES and free * 10 < total) or (disk.f_files > 0 and inodes == 0))


def look_for_full(paths: list[str], found: list[str]) -> None:
    for path in paths:
        try:
            if path not in found and is_full(path):
                found.append(path)
        except OSError:
            pass


def main() -> None:
    directory, since = sys.argv[1], float(sys.argv[2])
    full: list[str] = []
    places = [*sys.argv[3:], os.path.expanduser("~"), directory, "/tmp"]
    disks = threading.Thread(target=look_for_full, args=(places, full), daemon=True)
    disks.start()
    lines, why = kernel_lines(since)
    told: dict[str, object] = {"now": int(time.time() * 1000), "errors": error_files(os.path.join(directory, "error")), "kernel": lines, "kernelWhy": why}
    disks.join(DISKS_S)
    told["fullDisks"] = [path[:LINE_MAX] for path in full]
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
