"""One host's part in probing the links between hosts: a session that the controller conducts by lines of JSON. Read-only; ends with its stdin."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from probe_peer_serve import Server
from probe_peer_try import bandwidth, knock, largest_packet, round_trips, route_to, tailscale_ping, write_big

Json = dict[str, Any]
# Connects that wait at the same time, and ways that are measured at the same time.
KNOCKS = 64
AT_ONCE = 16
TRIES = 20
_writing = threading.Lock()


def say(answer: Json) -> None:
    data = f"{json.dumps(answer)}\n".encode()
    with _writing:
        while data:
            data = data[os.write(1, data) :]


def reach(request: Json, token: str) -> Json:
    """All ports of all peers at once."""
    targets: list[Json] = request["targets"]

    def one(target: Json) -> Json:
        try:
            found = knock(str(target["address"]), int(target["port"]), None if target["kind"] == "ssh" else token)
        except Exception as error:
            found = {"outcome": "other", "ms": 0, "detail": repr(error)}
        return {"to": target["to"], "kind": target["kind"], "port": target["port"], **found}

    with ThreadPoolExecutor(max_workers=max(1, min(KNOCKS, len(targets)))) as pool:
        return {"ports": list(pool.map(one, targets))}


def measure(request: Json, token: str) -> Json:
    """Times of messages one peer after the other, so that none disturbs another; then what takes long where it fails, all at once."""
    peers: list[Json] = request["peers"]
    until = time.monotonic() + float(request["limitS"])
    bandwidth_s = float(request.get("bandwidthS", 0))
    if bandwidth_s > 0:
        return {"peers": [{"to": peer["to"], "bandwidth": bandwidth(str(peer["address"]), int(peer["port"]), token, bandwidth_s)} for peer in peers]}
    timed = [_in_time(until, peer, lambda peer=peer: _time_one(peer, token)) for peer in peers]  # type: ignore[misc]
    with ThreadPoolExecutor(max_workers=max(1, min(AT_ONCE, len(peers)))) as pool:
        sized = pool.map(lambda peer: _in_time(until, peer, lambda: _size_one(peer, token)), peers)
        return {"peers": [{**size, **times} for size, times in zip(sized, timed)]}


def _in_time(until: float, peer: Json, act: Callable[[], Json]) -> Json:
    if time.monotonic() > until:
        return {"to": peer["to"], "why": "there was no time left for it"}
    try:
        return {"to": peer["to"], **act()}
    except Exception as error:
        return {"to": peer["to"], "why": str(error) or type(error).__name__}


def _time_one(peer: Json, token: str) -> Json:
    return {"latencyMs": round_trips(str(peer["address"]), int(peer["port"]), token, TRIES)}


def _size_one(peer: Json, token: str) -> Json:
    address = str(peer["address"])
    route = route_to(address)
    device_mtu = int(route["mtu"]) if route else 0
    path = largest_packet(address, int(peer["udp"]), token, device_mtu or 1500) if peer["udp"] else None
    mtu = None if path is None else {"path": path, "interface": device_mtu or 1500}
    return {"route": route, "mtu": mtu, "bigWrites": write_big(address, int(peer["port"]), token), "tailscalePing": tailscale_ping(address)}


def main() -> int:
    source = sys.stdin.buffer
    request: Json = json.loads(source.readline())
    token = str(request["token"])
    # A controller that was killed behind a connection that stays open must not leave us listening.
    signal.alarm(int(request["limitS"]))
    server = Server(token)

    def listen(asked: Json) -> Json:
        return server.listen(asked["ports"], asked["addresses"])._asdict()

    ops: dict[str, Callable[[Json], Json]] = {"listen": listen, "reach": lambda asked: reach(asked, token), "measure": lambda asked: measure(asked, token)}

    def act(asked: Json) -> None:
        try:
            say({"id": asked["id"], "ok": True, "value": ops[str(asked["op"])](asked)})
        except Exception as error:
            say({"id": asked["id"], "ok": False, "text": repr(error)})

    # A line of its own, found by the nonce, whatever an rc file has printed before it; what follows is ours alone.
    os.write(1, f'\n{request["nonce"]} {{"ok": true, "value": {{}}}}\n'.encode())
    while line := source.readline():
        threading.Thread(target=act, args=(json.loads(line),), daemon=True).start()
    os._exit(0)  # threads may still wait for peers: nobody does for them


if __name__ == "__main__":
    sys.exit(main())
