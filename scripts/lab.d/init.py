"""PID 1 of a host: network, root, sshd, then reaping (or not, where the option says so)."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import NoReturn

from kernel import set_hostname, wipe_command_line
from network import configure_host
from root import enter_root
from state import Host, Lab

SSHD_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def prepare(lab: Lab, host: Host) -> None:
    set_hostname(host["name"])
    configure_host(host)
    enter_root(lab, host)
    wipe_command_line("init")
    if host["options"].get("banner_stall"):
        start_silent_listener()
    else:
        start_sshd()


def start_sshd() -> None:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        log = os.open("/var/log/sshd.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 2)
        os.execve("/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-e"], SSHD_ENVIRONMENT)
    deadline = time.monotonic() + 10
    while not os.path.exists("/run/sshd.pid"):  # written once it listens
        if os.waitpid(pid, os.WNOHANG)[0] != 0:
            with open("/var/log/sshd.log") as file:
                raise RuntimeError(f"sshd ended: {file.read()[-2000:]}")
        if time.monotonic() > deadline:
            raise RuntimeError("sshd does not listen after 10 s")
        time.sleep(0.005)


def start_silent_listener() -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", 22))
    listener.listen(64)
    if os.fork() == 0:
        held = []
        while True:
            held.append(listener.accept())
    listener.close()


def live(reaps: bool) -> NoReturn:
    while not reaps:
        signal.pause()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            signal.sigwait([signal.SIGCHLD])
