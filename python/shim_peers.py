"""The shim's socket: agents that read events and give commands, and ranks that say who they are."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any, Callable

from shim_events import Events
from shim_loop import Loop, log

# A launch carries the environment of every spawn.
_MAX_LINE = 16 * 1024 * 1024
# An agent this far behind is dropped; it can come back and ask from where it was.
_MAX_BEHIND = 16 * 1024 * 1024

Message = dict[str, Any]


class Peers:
    """Everyone connected."""

    def __init__(self, loop: Loop, events: Events, on_command: Callable[[Message], None], on_rank: Callable[[int, Message], None]) -> None:
        self._loop = loop
        self._events = events
        self._on_command = on_command
        self._on_rank = on_rank
        self.agents: set[Peer] = set()
        self.on_agents_changed: Callable[[], None] = lambda: None
        events.subscribers.append(self._push)

    def listen(self, path: str) -> None:
        """The caller holds the attempt's lock, so a socket file that is there already belongs to nobody."""
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(path)
        os.chmod(path, 0o600)
        server.listen(128)
        server.setblocking(False)
        self._loop.on_readable(server, lambda: self._accept(server))

    def _accept(self, server: socket.socket) -> None:
        try:
            connection, _ = server.accept()
        except (BlockingIOError, OSError):
            return
        Peer(self, connection, self._loop)

    def _push(self, line: str) -> None:
        for agent in list(self.agents):
            agent.send(line)

    def take(self, peer: Peer, message: Message) -> None:
        """One line of a peer."""
        hello = message.get("hello")
        if hello == "agent":
            self.agents.add(peer)
            for line in self._events.lines[int(message.get("from", 0)) :]:
                peer.send(line)
            self.on_agents_changed()
        elif hello == "rank":
            self._on_rank(peer.pid, message)
            peer.send('{"ok":true}')
        elif peer in self.agents and "do" in message:
            self._on_command(message)
        else:
            raise ValueError("neither hello nor command")

    def dropped(self, peer: Peer) -> None:
        """A peer is gone; the attempt goes on."""
        if peer in self.agents:
            self.agents.discard(peer)
            self.on_agents_changed()


class Peer:
    """One connection."""

    def __init__(self, peers: Peers, connection: socket.socket, loop: Loop) -> None:
        self._peers = peers
        self._socket = connection
        self._loop = loop
        self._incoming = b""
        self._outgoing = b""
        self._is_open = True
        # The kernel's word for who connected, not the peer's own.
        self.pid: int = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        connection.setblocking(False)
        loop.on_readable(connection, self._ready)

    def send(self, line: str) -> None:
        """Queues a line."""
        self._outgoing += line.encode() + b"\n"
        if len(self._outgoing) > _MAX_BEHIND:
            self.close()
            return
        self._flush()

    def is_flushed(self) -> bool:
        """Everything queued was given to the kernel."""
        return not self._outgoing

    def _flush(self) -> None:
        if not self._is_open:
            return
        try:
            while self._outgoing:
                self._outgoing = self._outgoing[self._socket.send(self._outgoing) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._loop.set_writing(self._socket, self._ready, bool(self._outgoing))

    def _ready(self) -> None:
        if self._outgoing:
            self._flush()
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._incoming += data
        *lines, self._incoming = self._incoming.split(b"\n")
        if len(self._incoming) > _MAX_LINE:
            self.close()
            return
        for line in lines:
            try:
                message = json.loads(line)
                if not isinstance(message, dict):
                    raise ValueError("not an object")
                self._peers.take(self, message)
            except (ValueError, TypeError, KeyError) as error:
                log(f"a peer (pid {self.pid}) was dropped: {type(error).__name__}")
                self.close()
                return

    def close(self) -> None:
        """Hangs up."""
        if self._is_open:
            self._is_open = False
            self._loop.forget(self._socket)
            self._socket.close()
            self._peers.dropped(self)
