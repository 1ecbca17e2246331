"""scripts/lab: the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys

import lifecycle
import state
from cluster_file import cluster_yaml
from host import boot_all, freeze, is_up, power_off, thaw
from inside import run_inside
from keeper import execute
from network import apply_blocks, set_link
from options import describe
from problem import Problem
from state import Lab, host_of

ABOUT = """Test hosts on this machine. Each is a real sshd in namespaces of its own (network, PID, mounts, UTS, IPC) with its own
root, homes, /tmp, /run, /dev/shm, machine-id, boot id, host key and users (root, trainer, other); nothing of this machine's
homes or checkouts is in it. The job's Python (torch) is at /opt/train; python3 on PATH is the system's, without torch.

`exec` runs a command as the controller: in the lab's network, with the lab's home. OpenSSH takes ~/.ssh from passwd and
not from $HOME, so both name the lab's home there; this machine's real homes stay where they are and visible.
Hosts are gpu-a, gpu-b, …; the controller has the first address of their /24. All labs are under /tmp/nexadist-lab-UID."""

EXAMPLES = """options, as `--option HOST:key=value` (HOST may be *):
{options}

  scripts/lab up --name t --hosts 2 --gpus 4
  scripts/lab exec t -- ssh 100.66.164.18 nvidia-smi -L
  scripts/lab cluster t > cluster.yaml; scripts/lab exec t -- scripts/nexadist up cluster.yaml
  scripts/lab kill t gpu-b; scripts/lab boot t gpu-b; scripts/lab down t"""


def parser() -> argparse.ArgumentParser:
    epilog = EXAMPLES.format(options=describe())
    top = argparse.ArgumentParser(prog="scripts/lab", description=ABOUT, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="bring a lab up; prints its state as JSON with --json")
    up.add_argument("--name", default="lab")
    up.add_argument("--hosts", type=int, help="how many (default: as many as --addresses, else 2)")
    up.add_argument("--addresses", help="comma-separated IPv4 addresses (default: 100.66.164.18, .19, …)")
    up.add_argument("--gpus", type=int, default=0, help="fake GPUs per host")
    up.add_argument("--python", help="virtual environment to give the hosts (default: the checkout's .venv, if it is there)")
    up.add_argument("--option", action="append", default=[], metavar="HOST:key=value")
    up.add_argument("--unprivileged", action="store_true", help="without root: one sshd per host on 127.0.0.1; no namespaces, few options")
    up.add_argument("--json", action="store_true")
    add(commands, "down", "end everything of a lab and remove it")
    add(commands, "exec", "run a command as the controller", rest=True)
    add(commands, "run", "run a command in a host, not through ssh", host=True, rest=True).add_argument("--user", default="root")
    add(commands, "shell", "a shell in a host", host=True).add_argument("--user", default="root")
    add(commands, "env", "NAME=VALUE lines: directory, ssh configuration, key, known_hosts, addresses")
    add(commands, "ssh-config", "path of the lab's ssh configuration, for ssh -F")
    add(commands, "cluster", "the lab as a cluster file")
    add(commands, "link", "pull or plug a host's cable", host=True).add_argument("to", choices=["up", "down"])
    for name, text in {"kill": "power a host off", "boot": "power it on", "freeze": "stop its processes", "thaw": "continue them"}.items():
        add(commands, name, text, host=True)
    for name, text in {"block": "drop packets between two hosts, or a host and `controller`", "unblock": "undo block"}.items():
        one = add(commands, name, text)
        one.add_argument("a")
        one.add_argument("b")
        one.add_argument("oneway", nargs="?", choices=["oneway"], help="only from a to b")
    add(commands, "pid", "PID of a host's first process on this machine, 0 while it is off", host=True)
    commands.add_parser("list", help="labs of this user")
    return top


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, host: bool = False, rest: bool = False) -> argparse.ArgumentParser:
    one = commands.add_parser(name, help=text)
    one.add_argument("name", metavar="NAME")
    if host:
        one.add_argument("host", metavar="HOST")
    if rest:
        one.usage = f"scripts/lab {name} NAME {'HOST [--user USER] ' if host else ''}-- COMMAND …"
    return one


def environment_lines(lab: Lab) -> list[str]:
    home = f"{lab['dir']}/home"
    ssh = f"{home}/.ssh"
    lines = [f"LAB_DIR={lab['dir']}", f"LAB_HOME={home}", f"LAB_SSH_CONFIG={ssh}/config", f"LAB_KEY={ssh}/id_ed25519", f"LAB_KNOWN_HOSTS={ssh}/known_hosts"]
    lines.append(f"LAB_CONTROLLER={','.join(lab['controller']['addresses']) or '127.0.0.1'}")
    return lines + [f"LAB_HOST_{name.replace('-', '_').upper()}={host['address']}" for name, host in lab["hosts"].items()]


def change(args: argparse.Namespace) -> None:
    """Commands that change a lab, one at a time."""
    with state.locked(args.name):
        lab = state.load(args.name)
        if lab["mode"] == "user":
            raise Problem(f"{args.command} needs a lab made as root")
        if args.command in ("block", "unblock"):
            change_blocks(lab, args.a, args.b, args.oneway is None, args.command == "block")
        else:
            change_host(lab, args)
        state.save(lab)


def change_host(lab: Lab, args: argparse.Namespace) -> None:
    host = host_of(lab, args.host)
    if args.command == "boot":
        if is_up(host):
            raise Problem(f"host {args.host} is on")
        boot_all(lab, [host])
        return
    if not is_up(host):
        if args.command == "kill":
            return
        raise Problem(f"host {args.host} is off")
    if args.command == "link":
        set_link(lab, host, args.to == "up")
    else:
        {"kill": lambda: power_off(lab, host), "freeze": lambda: freeze(host), "thaw": lambda: thaw(host)}[args.command]()


def change_blocks(lab: Lab, a: str, b: str, both: bool, blocks: bool) -> None:
    def addresses(name: str) -> list[str]:
        return list(lab["controller"]["addresses"]) if name == "controller" else [host_of(lab, name)["address"]]

    pairs = [[x, y] for x in addresses(a) for y in addresses(b)]
    pairs += [[y, x] for x, y in pairs] if both else []
    kept = [pair for pair in lab["blocks"] if pair not in pairs]
    lab["blocks"] = kept + pairs if blocks else kept
    apply_blocks(lab)


def main(args: argparse.Namespace, argv: list[str]) -> int:
    command = args.command
    if command == "up":
        lab = lifecycle.up(args)
        print(json.dumps(lab) if args.json else "\n".join(f"{name}\t{host['address']}" for name, host in lab["hosts"].items()))
    elif command == "down":
        lifecycle.down(args.name)
    elif command == "list":
        print("\n".join(f"{name}\t{os.path.join(state.base_dir(), name)}" for name in state.names()))
    elif command in ("link", "kill", "boot", "freeze", "thaw", "block", "unblock"):
        change(args)
    elif command == "exec":
        if not argv:
            raise Problem("exec NAME -- COMMAND …")
        execute(state.load(args.name), argv)
    elif command in ("run", "shell"):
        if command == "run" and not argv:
            raise Problem("run NAME HOST -- COMMAND …")
        return run_inside(host_of(state.load(args.name), args.host), argv, args.user)
    elif command == "env":
        print("\n".join(environment_lines(state.load(args.name))))
    elif command == "pid":
        host = host_of(state.load(args.name), args.host)
        print(host["pid"] if is_up(host) else 0)
    elif command == "ssh-config":
        print(f"{state.load(args.name)['dir']}/home/.ssh/config")
    elif command == "cluster":
        print(cluster_yaml(state.load(args.name)), end="")
    return 0


if __name__ == "__main__":
    try:
        cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
        sys.exit(main(parser().parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]))
    except Problem as problem:
        print(f"lab: {problem}", file=sys.stderr)
        sys.exit(5)
