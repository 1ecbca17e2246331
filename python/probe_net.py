"""What the kernel tells of this host's network interfaces: a virtual one refuses its speed, which is an answer."""

from __future__ import annotations

import glob
import json
from typing import Any

Json = dict[str, Any]


def _texts(patterns: list[str]) -> str:
    found: dict[str, str] = {}
    for path in (path for pattern in patterns for path in glob.glob(pattern)):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                found[path] = file.read(200)
        except OSError:
            continue
    return json.dumps(found)


def net_links(_: Json) -> str:
    return _texts([f"/sys/class/net/*/{name}" for name in ("speed", "duplex", "carrier", "operstate", "mtu")])


def net_counters(_: Json) -> str:
    return _texts([f"/sys/class/net/*/statistics/{way}_{what}" for way in ("rx", "tx") for what in ("packets", "errors", "dropped")])
