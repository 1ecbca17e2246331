"""The controller's side of a lab: a home with key and known_hosts, and a keeper process that holds its network and its passwd."""

from __future__ import annotations

import os
import pwd
import signal
import sys
from typing import NoReturn

from background import start_background
from disk import make_key
from kernel import CLONE_NEWNET, CLONE_NEWNS, MS_REC, MS_SLAVE, bind, mount, set_namespace
from network import make_bridge
from problem import Problem
from process import is_alive
from state import Lab

# These would lead a command to the real user's files, agents or sockets.
FORGOTTEN = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


def make_home(lab: Lab) -> None:
    ssh = os.path.join(lab["dir"], "home/.ssh")
    os.makedirs(ssh, mode=0o700)
    os.chmod(os.path.dirname(ssh), 0o700)
    os.mkdir(os.path.join(lab["dir"], "run"), 0o700)
    lab["public_key"] = make_key(f"{ssh}/id_ed25519", "nexadist-lab")


def write_ssh_files(lab: Lab, host_keys: dict[str, str]) -> None:
    """`host_keys`: the names a host has in known_hosts → its public line. Hosts go by address and by name."""
    ssh = os.path.join(lab["dir"], "home/.ssh")
    with open(f"{ssh}/known_hosts", "w") as file:
        file.writelines(f"{names} {' '.join(key.split()[:2])}\n" for names, key in host_keys.items())
    lines = []
    for host in lab["hosts"].values():
        lines += [f"Host {host['name']} {host['address']}", f"  HostName {host['address']}", f"  User {host['user']}"]
        lines += [f"  Port {host['port']}"] if "port" in host else []
    lines += ["Host *", f"  IdentityFile {ssh}/id_ed25519", "  IdentitiesOnly yes", f"  UserKnownHostsFile {ssh}/known_hosts"]
    with open(f"{ssh}/config", "w") as file:
        file.write("\n".join(lines) + "\n")
    os.chmod(f"{ssh}/config", 0o600)


def start_keeper(lab: Lab) -> None:
    def prepare() -> None:
        mount("none", "/", "", MS_REC | MS_SLAVE)
        give_home(lab)
        make_bridge(lab["controller"]["addresses"])

    def live() -> NoReturn:
        while True:
            signal.pause()

    background = start_background("lab-keeper", CLONE_NEWNET | CLONE_NEWNS, os.path.join(lab["dir"], "keeper.log"), prepare, live)
    lab["controller"]["pid"] = background.pid
    background.go()
    lab["controller"]["start"] = background.wait_ready("the lab's network")


def give_home(lab: Lab) -> None:
    """OpenSSH asks passwd, not $HOME, for ~/.ssh; so the lab's passwd names the lab's home, and no real home is hidden."""
    me = pwd.getpwuid(os.getuid())
    with open("/etc/passwd") as file:
        others = [line for line in file if line.split(":")[2:3] != [str(me.pw_uid)]]
    path = os.path.join(lab["dir"], "passwd")
    with open(path, "w") as file:
        file.write(f"{me.pw_name}:x:{me.pw_uid}:{me.pw_gid}:{me.pw_gecos}:{lab['dir']}/home:{me.pw_shell}\n")
        file.writelines(others)
    os.chmod(path, 0o644)
    bind(path, "/etc/passwd")


def environment(lab: Lab) -> dict[str, str]:
    """This command's environment, made the controller's."""
    kept = {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
    kept.update(HOME=f"{lab['dir']}/home", XDG_RUNTIME_DIR=f"{lab['dir']}/run", NEXADIST_LAB=lab["token"])
    return kept


def execute(lab: Lab, argv: list[str]) -> NoReturn:
    """Becomes `argv` in the controller's namespaces; the working directory stays."""
    if lab["mode"] == "root":
        keeper = lab["controller"]
        if not is_alive(keeper["pid"], keeper["start"]):
            raise Problem(f"lab {lab['name']} has lost its network: scripts/lab down {lab['name']}")
        where = os.getcwd()
        fds = [os.open(f"/proc/{keeper['pid']}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "mnt")]
        for fd in fds:
            set_namespace(fd)
        os.chdir(where)
    sys.stdout.flush()
    env = environment(lab)
    try:
        os.execvpe(argv[0], argv, env)
    except FileNotFoundError:
        raise Problem(f"no such command: {argv[0]}") from None
