"""What logind does to the processes of a user whose last session ends, and how ours outlive that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from host_wire import Failure, read_text

LOGINCTL_S = 5.0


def lingers(user: str) -> bool | None:
    """None where there is no logind."""
    if not os.path.isdir("/run/systemd/seats") and not os.path.isdir("/run/systemd/users"):
        return None
    return os.path.exists(f"/var/lib/systemd/linger/{user}")


def kills_user_processes() -> bool | None:
    """The last word wins, drop-ins after the main file; the upstream default, no, is what distributions compile in today."""
    if lingers("") is None:
        return None
    files = ["/usr/lib/systemd/logind.conf", "/etc/systemd/logind.conf"]
    dropins: dict[str, str] = {}
    for base in ("/usr/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d", "/etc/systemd/logind.conf.d"):
        for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
            if name.endswith(".conf"):
                dropins[name] = os.path.join(base, name)
    verdict = False
    for path in files + [dropins[name] for name in sorted(dropins)]:
        for value in re.findall(r"^\s*KillUserProcesses\s*=\s*(\S+)", read_text(path), re.M):
            verdict = value.lower() in ("yes", "true", "on", "1")
    return verdict


def outlive_session(user: str) -> list[str]:
    """What to put before a command that must outlive this session: nothing, or a scope of the user's own manager, which lives while the user lingers.

    logind excludes root from KillUserProcesses unless an administrator says otherwise.
    """
    if os.getuid() == 0 or not kills_user_processes():
        return []
    if not lingers(user):
        try:
            subprocess.run(["loginctl", "enable-linger"], stdin=subprocess.DEVNULL, capture_output=True, timeout=LOGINCTL_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            pass
    runtime = f"/run/user/{os.getuid()}"
    command = shutil.which("systemd-run")
    if not lingers(user) or command is None or not os.path.isdir(runtime):
        raise Failure(
            "KILL_USER_PROCESSES",
            f"logind ends the processes of {user} with the last session (KillUserProcesses=yes), and lingering is off; "
            f"as root there: loginctl enable-linger {user}",
        )
    return ["/usr/bin/env", f"XDG_RUNTIME_DIR={runtime}", command, "--user", "--scope", "--quiet", "--collect", "--"]
