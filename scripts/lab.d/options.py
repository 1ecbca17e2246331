"""What `--option HOST:key=value` may say; every accepted key acts."""

from __future__ import annotations

import re

from problem import Problem

Options = dict[str, str]

SHELLS = {"bash": "/bin/bash", "fish": "/usr/bin/fish", "csh": "/usr/bin/csh", "sh": "/bin/sh"}

# key: (pattern of legal values, help)
KNOWN: dict[str, tuple[str, str]] = {
    "shell": ("bash|fish|csh|sh", "login shell of every user"),
    "noisy_bashrc": ("1", "~/.bashrc prints on both streams, in every session"),
    "max_sessions": (r"\d+", "sshd MaxSessions"),
    "max_startups": (r"\d+(:\d+:\d+)?", "sshd MaxStartups"),
    "stream_local": ("yes|no|local|remote", "sshd AllowStreamLocalForwarding"),
    "tcp_forwarding": ("yes|no|local|remote", "sshd AllowTcpForwarding"),
    "force_command": (r".+", "sshd ForceCommand"),
    "banner_stall": ("1", "port 22 accepts and never speaks"),
    "host_key": ("changed|unknown", "differs from known_hosts, or is not in it"),
    "key": ("wrong", "the lab's key is not in authorized_keys"),
    "user": (r"[a-z][a-z0-9_-]*", "one more ordinary user (uid 2002), used by default for this host"),
    "homes": (r"/[\w/.-]+", "directory of the ordinary users' homes, instead of /home"),
    "train": (r"/[\w/.-]+", "where the Python with torch is, instead of /opt/train"),
    "path": ("train", "the Python with torch is first on PATH in every session"),
    "interface": (r"[a-z][a-z0-9]{0,14}", "name of the network interface, instead of eth0"),
    "home": ("readonly", "homes are mounted read-only"),
    "tmp": ("noexec", "/tmp is mounted noexec"),
    "disk": (r"\d+[km]", "homes on a tmpfs of this size (contents are lost at power-off)"),
    "shared_home": (r"[\w-]+", "homes shared by all hosts that name it, as NFS does"),
    "shared_tmp": (r"[\w-]+", "/tmp shared by all hosts that name it (containers)"),
    "shared_machine_id": (r"[\w-]+", "machine-id shared by all hosts that name it (clones, containers)"),
    "cgroup": ("v2", "a cgroup2 tree of its own at /sys/fs/cgroup (default: none, as in many containers)"),
    "init": ("noreap", "PID 1 reaps nobody"),
    "python": ("none", "no python3 on PATH"),
    "node": ("none|present", "a Node on PATH (default: none)"),
    "gpus": (r"\d+", "fake GPUs of this host, instead of --gpus"),
}


def parse_all(texts: list[str], hosts: list[str]) -> dict[str, Options]:
    """`HOST:key=value`, HOST may be `*`; a later one wins."""
    found: dict[str, Options] = {host: {} for host in hosts}
    for text in texts:
        match = re.fullmatch(r"([^:=]+):(\w+)=(.*)", text, re.DOTALL)
        if match is None:
            raise Problem(f"--option {text!r} is not HOST:key=value")
        host, key, value = match.groups()
        check(key, value)
        if host != "*" and host not in found:
            raise Problem(f"--option {text!r}: no such host; there are {', '.join(hosts)}")
        for name in hosts if host == "*" else [host]:
            found[name][key] = value
    return found


def check(key: str, value: str) -> None:
    if key == "libc":
        raise Problem("option libc: a host of the lab shares this machine's libc; musl cannot be had for real here")
    if key not in KNOWN:
        raise Problem(f"no option {key!r}; there are {', '.join(KNOWN)}")
    pattern = KNOWN[key][0]
    if not re.fullmatch(pattern, value):
        raise Problem(f"option {key}={value!r} does not match {pattern}")


def describe() -> str:
    return "\n".join(f"  {key + '=' + pattern:34} {text}" for key, (pattern, text) in KNOWN.items())
