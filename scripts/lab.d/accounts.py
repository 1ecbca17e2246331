"""The users of a host: root and trainer, another user who must never see anything, and one more on request."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

from options import SHELLS
from state import Host


class Account(NamedTuple):
    name: str
    uid: int
    home: str


SYSTEM = [("daemon", 1), ("nobody", 65534), ("sshd", 102), ("messagebus", 100)]

NOISE = """echo "welcome to $(hostname 2>/dev/null || echo this host): quota 93 % used"
echo "bashrc: this goes to standard error" >&2
printf 'no newline at the end'
"""


def accounts_of(host: Host) -> list[Account]:
    homes = host["options"].get("homes", "/home")
    found = [Account("root", 0, "/root"), Account("trainer", 2000, f"{homes}/trainer"), Account("other", 2001, f"{homes}/other")]
    extra = host["options"].get("user")
    if extra is not None and extra not in [account.name for account in found]:
        found.append(Account(extra, 2002, f"{homes}/{extra}"))
    return found


def write_accounts(host: Host, etc: str) -> None:
    shell = SHELLS[host["options"].get("shell", "bash")]
    accounts = accounts_of(host)
    passwd = [f"{a.name}:x:{a.uid}:{a.uid}::{a.home}:{shell}" for a in accounts]
    passwd += [f"{name}:x:{uid}:65534::/nonexistent:/usr/sbin/nologin" for name, uid in SYSTEM]
    groups = [f"{a.name}:x:{a.uid}:" for a in accounts] + ["tty:x:5:", "shadow:x:42:", "utmp:x:43:", "nogroup:x:65534:"]
    # `*` and not `!`: sshd without PAM refuses keys of an account that is locked.
    shadow = [f"{name}:*:19000:0:99999:7:::" for name in [a.name for a in accounts] + [name for name, _ in SYSTEM]]
    for name, lines, mode in (("passwd", passwd, 0o644), ("group", groups, 0o644), ("shadow", shadow, 0o600)):
        path = os.path.join(etc, name)
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        os.chmod(path, mode)


def fill_home(host: Host, account: Account, directory: str, public_key: str) -> None:
    """Skeleton, authorized_keys and, on request, a .bashrc as people have them. Keeps what is there already."""
    os.makedirs(directory, exist_ok=True)
    ssh = os.path.join(directory, ".ssh")
    if not os.path.isdir(ssh):
        for name in (".bashrc", ".profile"):
            if os.path.isfile(f"/etc/skel/{name}"):
                shutil.copy(f"/etc/skel/{name}", os.path.join(directory, name))
        if host["options"].get("noisy_bashrc"):
            for name in (".bashrc", ".cshrc"):
                with open(os.path.join(directory, name), "w") as file:
                    file.write(NOISE if name == ".bashrc" else 'echo "welcome: quota 93 % used"\n')
        os.mkdir(ssh, 0o700)
        with open(os.path.join(ssh, "authorized_keys"), "w") as file:
            if host["options"].get("key") != "wrong":
                file.write(public_key)
        os.chmod(os.path.join(ssh, "authorized_keys"), 0o600)
    for path, _, files in os.walk(directory):
        for entry in [path] + [os.path.join(path, name) for name in files]:
            os.lchown(entry, account.uid, account.uid)
    os.chmod(directory, 0o700)
