"""Holds one run's claims on the GPUs of this host: `claim_holder.py SOCKET`. It outlives agents, and hands its locks to the shim of each attempt.

JSON lines over SOCKET (unix, 0600), one answer a line: {"do": "claim" | "unclaim" | "keep" | "share" | "end"}. Between two attempts the claim is the run's
for as long as somebody says `keep`; a shim that lives has the locks itself. One who waits and is not asked again is not waiting any more.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import claim_gpus  # noqa: E402
import claims  # noqa: E402

Json = dict[str, Any]

# Without a word of the agent: an agent that was killed is back by then, a controller that is away holds up nobody for longer.
_HOLD_S = 900.0
_WAIT_S = 60.0
_LINE_MAX = 65536
# Who lets a lock go looks for a moment whether it was the last to have it.
_GLANCE_S = 0.02


class Holder:
    """Locks, the card, and what they are for."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._may_queue = False
        self._said: Json = {}
        while True:
            self._directory = claims.open_directory()
            try:
                self._card_name, self._card = claims.make_card(self._directory)
                return
            except FileNotFoundError:
                os.close(self._directory)  # put away in between

    def patience_s(self) -> float:
        """Until the next word."""
        return _HOLD_S if self._held else _WAIT_S

    def claim(self, asked: Json) -> Json:
        """All that is wanted or nothing. `mayQueue`: a place in the queue instead."""
        self._said = {key: asked[key] for key in ("run", "name", "by", "requestedAt")}
        self._may_queue = bool(asked["mayQueue"])
        if self._satisfies(asked["want"]):
            return self._answer([])
        self._release()
        with claims.mutex(self._directory):
            busy = self._look(asked, {})
        notes: list[str] = []
        if busy is None:
            foreign, why = claim_gpus.processes(str(asked["run"]))
            if why:
                notes.append(f"whether other processes use its GPUs is not known: {why}")
            by_gpu: dict[str, list[Json]] = {}
            for process in foreign:
                by_gpu.setdefault(process["uuid"], []).append(process)
            if asked["force"]:
                notes.extend(f"GPU {gpu['index']} is also used by {_words(p)}" for gpu in asked["gpus"] for p in by_gpu.get(gpu["uuid"], []))
            with claims.mutex(self._directory):
                busy = self._look(asked, {} if asked["force"] else by_gpu, takes=True)
                self._write_card(busy is not None)
        else:
            self._write_card(True)
        return self._answer(notes) if busy is None else {"ok": False, "busy": busy}

    def unclaim(self) -> None:
        """What it has; its place in the queue stays."""
        self._release()
        self._write_card(True)

    def end(self) -> None:
        """For good, with every file of ours."""
        self._release()
        claims.unlock(self._directory, self._card_name, self._card)
        os.close(self._directory)
        claims.put_away()

    def descriptors(self) -> list[int]:
        """For a shim: the card lives as long as the locks do."""
        return [*self._held.values(), self._card] if self._held else []

    def gpus(self) -> list[str]:
        """UUIDs."""
        return list(self._held)

    def _satisfies(self, want: Json) -> bool:
        if want["kind"] == "list":
            return bool(self._held) and sorted(self._held) == sorted(want["ids"])
        return len(self._held) == want["count"] if want["kind"] == "count" else len(self._held) > 0

    def _look(self, asked: Json, foreign: dict[str, list[Json]], takes: bool = False) -> list[Json] | None:
        """None: it can be had (and, `takes`, is now held); else by whom it is kept."""
        want = asked["want"]
        cards = [card for card in claims.read_cards(self._directory) if card.name != self._card_name]
        ahead = [_run_of("queue", card) for card in cards if _is_ahead(card, asked)]
        index = {gpu["uuid"]: gpu["index"] for gpu in asked["gpus"]}
        candidates: list[str] = want["ids"] if want["kind"] == "list" else [gpu["uuid"] for gpu in asked["gpus"]]
        needed = len(candidates) if want["kind"] == "list" else want["count"] if want["kind"] == "count" else None
        busy: list[Json] = []
        taken: dict[str, int] = {}
        for gpu in candidates:
            if len(taken) == needed:
                break
            owner = next((card for card in cards if gpu in _list(card.said.get("gpus"))), None)
            try:
                fd = claims.lock(self._directory, claims.file_of(gpu))
                if fd is None and owner is None:
                    time.sleep(_GLANCE_S)
                    fd = claims.lock(self._directory, claims.file_of(gpu))
            except claims.Unusable:
                self._let_go(taken)
                raise
            if fd is None:
                who = {"kind": "lock", **claims.locker(self._directory, claims.file_of(gpu))} if owner is None else _run_of("run", owner)
                busy.append({"gpu": index.get(gpu), **who})
            elif foreign.get(gpu):
                claims.unlock(self._directory, claims.file_of(gpu), fd)
                busy.extend({"gpu": index.get(gpu), "kind": "process", **process} for process in foreign[gpu])
            else:
                taken[gpu] = fd
        is_enough = len(taken) == needed if needed is not None else len(taken) > 0
        if takes and is_enough and not ahead:
            self._held = taken
            return None
        self._let_go(taken)
        return None if is_enough and not ahead else [*busy, *ahead]

    def _release(self) -> None:
        self._let_go(self._held)
        self._held = {}

    def _let_go(self, locks: dict[str, int]) -> None:
        for gpu, fd in locks.items():
            claims.unlock(self._directory, claims.file_of(gpu), fd)

    def _write_card(self, lacks: bool) -> None:
        said = {**self._said, "since": int(time.time() * 1000), "gpus": list(self._held), "isWaiting": lacks and self._may_queue}
        claims.write_card(self._card, said)

    def _answer(self, notes: list[str]) -> Json:
        return {"ok": True, "gpus": list(self._held), "notes": notes}


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _is_ahead(card: claims.Card, asked: Json) -> bool:
    """First come, first served: by when the run was asked for, on every host of it alike, so that no two wait for each other."""
    at, run = card.said.get("requestedAt"), card.said.get("run")
    mine = (asked["requestedAt"], asked["run"], os.geteuid())  # ids have a grain of a second: two controllers may give the same one
    return card.said.get("isWaiting") is True and isinstance(at, (int, float)) and (at, str(run), card.uid) < mine


def _run_of(kind: str, card: claims.Card) -> Json:
    said = card.said
    return {"kind": kind, "run": str(said.get("run"))[:128], "name": str(said.get("name"))[:200], "user": card.user, "by": str(said.get("by"))[:200]}


def _words(process: Json) -> str:
    if process["pid"] is None:
        return f"processes that are not shown there ({process['memoryMiB']} MiB)"
    user = "" if process["user"] is None else f", user {process['user']}"
    return f"{process['process']} (pid {process['pid']}{user})"


def answer(holder: Holder, connection: socket.socket) -> bool:
    """One question; True: it was the last."""
    connection.settimeout(5.0)
    line = b""
    while not line.endswith(b"\n") and len(line) < _LINE_MAX:
        chunk = connection.recv(_LINE_MAX)
        if not chunk:
            return False
        line += chunk
    asked: Json = json.loads(line)
    do = asked["do"]
    reply: Json = {"ok": True}
    descriptors: list[int] = []
    if do == "claim":
        reply = holder.claim(asked)
    elif do == "unclaim":
        holder.unclaim()
    elif do == "share":
        descriptors = holder.descriptors()
        reply = {"ok": True, "gpus": holder.gpus()}
    elif do == "end":
        holder.end()
    text = json.dumps(reply).encode() + b"\n"
    connection.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [])
    return bool(do == "end")


def serve(path: str) -> None:
    """Until told to end, or not told anything for long."""
    lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # another one of this run lives
    holder = Holder()

    def leave(*_: object) -> None:
        holder.end()
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.path.lexists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0o177)
    listener.bind(path)
    listener.listen(16)
    os.dup2(os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC), 2)  # whoever reads it may end before us
    heard = time.monotonic()
    try:
        while True:
            left = heard + holder.patience_s() - time.monotonic()
            if left <= 0:
                return  # the locks go with us, unless a shim has them too
            listener.settimeout(min(left, 10.0))
            try:
                connection, _ = listener.accept()
            except socket.timeout:
                if not os.path.lexists(path):
                    return  # what we are for was deleted under us
                continue
            heard = time.monotonic()
            with connection:
                try:
                    if answer(holder, connection):
                        return
                except claims.Unusable as error:
                    connection.sendall(json.dumps({"ok": False, "unusable": str(error)}).encode() + b"\n")
                except (OSError, ValueError, KeyError, TypeError):
                    traceback.print_exc()  # of one question; the next may be better
    finally:
        for name in (path, path + ".lock"):
            try:
                os.unlink(name)
            except OSError:
                pass


def main(argv: list[str]) -> int:
    """One form."""
    if len(argv) != 1:
        sys.stderr.write("usage: claim_holder.py SOCKET\n")
        return 2
    os.umask(0o077)
    os.chdir("/")
    try:
        serve(argv[0])
    except claims.Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
