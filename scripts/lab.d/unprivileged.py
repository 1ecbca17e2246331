"""Hosts without root: one sshd of this user per host, on a high port of 127.0.0.1. They share machine, user and file system."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess

from disk import make_key
from keeper import write_ssh_files
from problem import Problem
from process import start_of, wait_until
from state import Host, Lab

ALLOWED = {"max_sessions": "MaxSessions", "max_startups": "MaxStartups", "stream_local": "AllowStreamLocalForwarding", "tcp_forwarding": "AllowTcpForwarding"}


def start(lab: Lab) -> None:
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if sshd is None:
        raise Problem("no sshd here: apt-get install openssh-server")
    for host in lab["hosts"].values():
        refused = set(host["options"]) - set(ALLOWED)
        if refused:
            raise Problem(f"option {min(refused)} needs root; without it there are {', '.join(ALLOWED)}")
    keys = {}
    for host in lab["hosts"].values():
        key = start_host(lab, host, sshd)
        keys[f"[127.0.0.1]:{host['port']}"] = key
    write_ssh_files(lab, keys)


def start_host(lab: Lab, host: Host, sshd: str) -> str:
    disk = host["disk"]
    home = os.path.join(disk, "home")
    os.makedirs(home, mode=0o700)
    shutil.copy(os.path.join(lab["dir"], "home/.ssh/id_ed25519.pub"), os.path.join(disk, "authorized_keys"))
    key = make_key(os.path.join(disk, "host_key"), host["name"])
    host.update(address="127.0.0.1", port=free_port(), user=pwd.getpwuid(os.getuid()).pw_name, gpus=0, train=(lab["python"] or {}).get("venv", ""))
    lines = [
        f"Port {host['port']}",
        "ListenAddress 127.0.0.1",
        f"HostKey {disk}/host_key",
        f"AuthorizedKeysFile {disk}/authorized_keys",
        f"PidFile {disk}/sshd.pid",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "UseDNS no",
        "PrintMotd no",
        "Subsystem sftp internal-sftp",
        # A home of its own, or two hosts would be one to anything that keeps state there.
        f"SetEnv HOME={home}",
    ]
    lines += [f"{keyword} {host['options'][name]}" for name, keyword in ALLOWED.items() if name in host["options"]]
    with open(f"{disk}/sshd_config", "w") as file:
        file.write("\n".join(lines) + "\n")
    with open(f"{disk}/sshd.log", "ab") as log:
        argv = [sshd, "-D", "-e", "-f", f"{disk}/sshd_config"]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    host["pid"], host["start"] = process.pid, start_of(process.pid) or ""
    if not wait_until(lambda: os.path.exists(f"{disk}/sshd.pid") or process.poll() is not None, 10) or process.poll() is not None:
        with open(f"{disk}/sshd.log") as file:
            raise Problem(f"sshd of {host['name']} did not start: {file.read()[-500:]}")
    return key


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
