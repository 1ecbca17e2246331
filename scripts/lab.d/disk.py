"""What a host keeps over a power-off: /etc, /var, homes, /usr/local, host key."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess

from accounts import accounts_of, fill_home, write_accounts
from python_env import write_env
from state import Host, Lab

# Copied from this machine's /etc; anything else of it (keys, mail, proxies, a user's settings) is not a host's business.
ETC = (
    "bash.bashrc bash_completion.d csh.cshrc csh.login csh.logout debian_version fish gai.conf host.conf inputrc iproute2 "
    "ld.so.cache ld.so.conf ld.so.conf.d localtime login.defs networks nsswitch.conf os-release profile protocols python3.11 rpc security "
    "services shells skel terminfo timezone"
)

VAR = ("log", "tmp", "lib", "cache", "empty", "spool")


def write_disk(lab: Lab, host: Host) -> None:
    disk = host["disk"]
    etc = os.path.join(disk, "etc")
    for path in ("etc/ssh", "usr-local/bin", "usr-local/sbin", "usr-local/lib", "usr-local/share", "opt", *[f"var/{name}" for name in VAR]):
        os.makedirs(os.path.join(disk, path), exist_ok=True)
    os.chmod(os.path.join(disk, "var/tmp"), 0o1777)
    for name in ETC.split():
        copy_etc(name, etc)
    write_accounts(host, etc)
    write_names(host, etc)
    write_sshd_config(host, etc)
    write_gpus(lab, host)
    if lab["python"] is not None:
        write_env(lab, os.path.join(disk, "train"), host["train"])
    write_homes(lab, host)


def copy_etc(name: str, etc: str) -> None:
    source, target = f"/etc/{name}", os.path.join(etc, name)
    if not os.path.exists(source):
        return
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def write_names(host: Host, etc: str) -> None:
    """As Debian does it: the host's own name is 127.0.1.1, which is what misleads torchrun's c10d."""
    name = host["name"]
    shared = host["options"].get("shared_machine_id")
    machine_id = hashlib.md5(f"{shared or host['seed']}".encode()).hexdigest()
    for path, text in {
        "hostname": f"{name}\n",
        "hosts": f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}.lab {name}\n::1\tlocalhost ip6-localhost ip6-loopback\n",
        "resolv.conf": "# no name server: nothing of a lab leaves it\n",
        "machine-id": f"{machine_id}\n",
        "environment": "",
        "motd": "",
    }.items():
        with open(os.path.join(etc, path), "w") as file:
            file.write(text)


def write_sshd_config(host: Host, etc: str) -> None:
    options = host["options"]
    lines = [
        "Port 22",
        "HostKey /etc/ssh/ssh_host_ed25519_key",
        "PidFile /run/sshd.pid",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "UseDNS no",
        "PrintMotd no",
        "PrintLastLog no",
        "X11Forwarding no",
        "AcceptEnv LANG LC_*",
        "Subsystem sftp internal-sftp",
    ]
    for key, keyword in {
        "max_sessions": "MaxSessions",
        "max_startups": "MaxStartups",
        "stream_local": "AllowStreamLocalForwarding",
        "tcp_forwarding": "AllowTcpForwarding",
        "force_command": "ForceCommand",
    }.items():
        if key in options:
            lines.append(f"{keyword} {options[key]}")
    if "path" in options:
        lines.append(f"SetEnv PATH={options.get('train', '/opt/train')}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    with open(os.path.join(etc, "ssh/sshd_config"), "w") as file:
        file.write("\n".join(lines) + "\n")


def make_key(path: str, comment: str) -> str:
    """A new ed25519 key pair; returns the public line."""
    for old in (path, path + ".pub"):
        if os.path.exists(old):
            os.unlink(old)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], check=True, stdin=subprocess.DEVNULL)
    with open(path + ".pub") as file:
        return file.read()


def make_host_key(host: Host) -> str:
    return make_key(os.path.join(host["disk"], "etc/ssh/ssh_host_ed25519_key"), f"root@{host['name']}")


def write_gpus(lab: Lab, host: Host) -> None:
    """A fake nvidia-smi on PATH where the host has GPUs; it is run by the host's job Python, which is there even with python=none."""
    count = host["gpus"]
    if count == 0:
        return
    program = os.path.join(host["disk"], "usr-local/bin/nvidia-smi")
    with open(program, "w") as file:
        file.write(f'#!/bin/sh\nexec {host["train"]}/bin/python -I -S /usr/local/lib/fake-nvidia-smi "$@"\n')
    os.chmod(program, 0o755)
    shutil.copy(os.path.join(lab["scripts"], "fake-nvidia-smi"), os.path.join(host["disk"], "usr-local/lib/fake-nvidia-smi"))
    parts = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        os.path.join(lab["scripts"], "fake-nvidia-smi.d"), os.path.join(host["disk"], "usr-local/lib/fake-nvidia-smi.d"), ignore=parts, dirs_exist_ok=True
    )
    digest = hashlib.sha256(f"{host['seed']} gpu".encode()).hexdigest()
    gpus = [{"uuid": f"GPU-{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{index:012x}"} for index in range(count)]
    with open(os.path.join(host["disk"], "etc/fake-nvidia-smi.json"), "w") as file:
        json.dump({"mode": "ok", "gpus": gpus, "apps": []}, file, indent=1)


def write_homes(lab: Lab, host: Host) -> None:
    shared = host["options"].get("shared_home")
    homes = os.path.join(lab["dir"], "shared", f"home-{shared}") if shared else os.path.join(host["disk"], "homes")
    host["homes"] = homes
    for account in accounts_of(host):
        fill_home(host, account, os.path.join(homes, account.name), lab["public_key"])
