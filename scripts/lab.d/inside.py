"""Runs a command inside a host, not through ssh: what a person at its console would do."""

from __future__ import annotations

import os
import pwd
import signal
import sys

from host import is_up
from kernel import die_with_parent, set_namespace
from problem import Problem
from state import Host

KINDS = ("cgroup", "ipc", "net", "uts", "pid", "mnt")


def run_inside(host: Host, argv: list[str], user: str = "root") -> int:
    """Returns the exit code, or 128 + signal. An empty argv is the user's login shell."""
    if not is_up(host):
        raise Problem(f"host {host['name']} is off: boot it first")
    if "cgroup" in host:
        with open(os.path.join(host["cgroup"], "cgroup.procs"), "w") as file:
            file.write(str(os.getpid()))
    fds = [os.open(f"/proc/{host['pid']}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in KINDS]
    for fd in fds:
        set_namespace(fd)
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise Problem(f"host {host['name']} has no user {user!r}") from None
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        become(account, argv)
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    status = os.waitpid(pid, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def become(account: pwd.struct_passwd, argv: list[str]) -> None:
    try:
        die_with_parent(signal.SIGKILL)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        die_with_parent(signal.SIGKILL)  # a change of uid clears it
        os.chdir(account.pw_dir)
        env = {
            "HOME": account.pw_dir,
            "USER": account.pw_name,
            "LOGNAME": account.pw_name,
            "SHELL": account.pw_shell,
            "PATH": "/usr/local/bin:/usr/bin:/bin" if account.pw_uid else "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM": os.environ.get("TERM", "dumb"),
            "LANG": "C.UTF-8",
        }
        if argv:
            os.execvpe(argv[0], argv, env)
        os.execve(account.pw_shell, [f"-{os.path.basename(account.pw_shell)}"], env)
    except OSError as error:
        print(f"lab: {argv[0] if argv else account.pw_shell}: {error.strerror}", file=sys.stderr)
    os._exit(127)
