"""Looks at this host for `diag`: starts every program at once, answers the controller's clock meanwhile, then sends raw text by section. Read-only."""

from __future__ import annotations

import errno
import glob
import json
import os
import signal
import sys
import time
from functools import partial
from typing import Any

from probe_calls import CALLS
from probe_jobs import Job, run_all, start_function, start_program, write_all
from probe_sections import ASKS, DISK, WRITE, Ask
from probe_setup import after_setup

Json = dict[str, Any]

TIERS = ("quick", "full", "deep")
# s for all sections of a tier together.
TOTAL_S = {"quick": 15.0, "full": 60.0, "deep": 620.0}


def wanted(request: Json) -> dict[str, tuple[Ask, Json]]:
    tier = TIERS.index(str(request.get("tier", "quick")))
    asks = {name: (ask, request) for name, ask in ASKS.items() if TIERS.index(ask.tier) <= tier}
    for name, path in dict(request.get("paths", {})).items():
        asks[f"disk:{name}"] = (DISK, {**request, "path": path})
        if name in request.get("writes", []):
            asks[f"write:{name}"] = (WRITE, {**request, "path": path})
    known = set(request.get("known", []))
    return {name: asked for name, asked in asks.items() if name not in known}


def read_files(patterns: tuple[str, ...]) -> str:
    """null: it is there and may not be read. A driver's file without a value now, such as the speed of a link that is down, is as one that is not there."""
    found: dict[str, str | None] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern))[:1024]:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    found[path] = file.read(65536)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EPERM, errno.EIO):
                    found[path] = None
    return json.dumps({"asked": patterns, "files": found})


def begin(name: str, ask: Ask, request: Json) -> Job:
    if ask.needs is not None and not os.path.exists(ask.needs):
        job = Job(name, ask.seconds)
        job.why = f"{ask.needs} is not there"
        return job
    if ask.argv:
        path = ":".join([os.environ.get("PATH", "/usr/bin:/bin"), "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/lib/wsl/lib"])
        return start_program(name, ask.argv, ask.seconds, {**os.environ, "LC_ALL": "C", "LANGUAGE": "", "PATH": path})
    if ask.files:
        return start_function(name, partial(read_files, ask.files), ask.seconds)
    return start_function(name, partial(CALLS[ask.call], request), ask.seconds)


def tell(value: Json) -> None:
    write_all(1, f"{json.dumps(value)}\n".encode())


def answer_clock() -> bool:
    """A byte in, the time out: the controller dates its sending and receiving."""
    came = time.time_ns()
    if not os.read(0, 4096):
        return False
    tell({"came": came, "sent": time.time_ns()})
    return True


def main() -> int:
    begun = time.monotonic()
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    os.umask(0o077)
    request: Json = json.loads(sys.stdin.buffer.readline())
    write_all(1, f'\n{request["nonce"]} {{"ok": true, "value": {{}}}}\n'.encode())
    request = after_setup(request)
    jobs = [begin(name, ask, asked) for name, (ask, asked) in wanted(request).items()]
    sections = run_all(jobs, begun + TOTAL_S[str(request.get("tier", "quick"))], answer_clock)
    tell({"sections": sections, "ms": round((time.monotonic() - begun) * 1000)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
