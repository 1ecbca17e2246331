"""A look at this host that leaves nothing behind: HostFacts of cluster/spec.ts."""

from __future__ import annotations

import csv
import json
import os
import platform
import pwd
import re
import shutil
import socket
import subprocess
import sys
from typing import Any, Optional

from host_net import interfaces
from host_session import kills_user_processes, lingers
from host_wire import boot_id, read_text

Json = dict[str, Any]
Started = Optional["subprocess.Popen[bytes]"]

# A hung driver must not hang the look; a python on a cold NFS may take its time.
NVIDIA_SMI_S = 5.0
PYTHON_S = 10.0

LOOK = """
import json, sys
try:
    from importlib.metadata import version
except ImportError:
    version = None
def get(name):
    try:
        return version(name) if version else None
    except Exception:
        return None
print("\\n@" + json.dumps([sys.executable, "%d.%d.%d" % sys.version_info[:3], get("torch"), get("accelerate")]))
"""


def libc() -> Json:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        if name == "glibc":
            return {"kind": "glibc", "version": version}
    except (ValueError, OSError):
        pass
    musl = any(entry.startswith("ld-musl-") for entry in os.listdir("/lib"))
    return {"kind": "musl" if musl else "unknown", "version": ""}


def can_hold_state(path: str) -> bool:
    """Writable and allowed to execute, found out without making a file."""
    parent = path
    while not os.path.isdir(parent):
        if os.path.lexists(parent):
            return False
        parent = os.path.dirname(parent)
    flags = os.statvfs(parent).f_flag
    return os.access(parent, os.W_OK | os.X_OK) and not flags & (os.ST_RDONLY | os.ST_NOEXEC)


def state_place(home: str) -> tuple[str, str]:
    """First fit, and a word when it is not under the home."""
    uid = os.getuid()
    first = os.path.join(home, ".local/state/nexadist")
    for path in (first, f"/var/tmp/nexadist-{uid}-state", f"/tmp/nexadist-{uid}-state"):
        if can_hold_state(path):
            return path, "" if path == first else f"{first} cannot be written or does not allow programs; using {path}"
    return "", f"neither {first} nor /var/tmp nor /tmp is writable and allows programs"


def job_python(wish: str | None, home: str) -> tuple[str | None, str]:
    """The file behind the wish: an executable, or the directory of a virtual or conda environment; else python, python3 on PATH."""
    if wish:
        path = os.path.join(home, os.path.expanduser(wish))
        if os.path.isdir(path):
            path = os.path.join(path, "bin/python")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path, ""
        bare = shutil.which(wish) if "/" not in wish else None
        return bare, "" if bare else f"python {wish}: {path} is not an executable file"
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found:
            return found, ""
    return None, "no python or python3 on the PATH of a non-interactive SSH session; set `python:` to a path"


def begin(argv: list[str]) -> Started:
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", start_new_session=True)
    except OSError:
        return None


def finish(process: Started, seconds: float) -> tuple[int | None, str]:
    """Exit status (None: did not start or was given up) and what it said."""
    if process is None:
        return None, "could not be started"
    try:
        out, _ = process.communicate(timeout=seconds)
        return process.returncode, out.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        # A process stuck in the driver cannot be killed: leave it, do not wait for it.
        process.kill()
        return None, f"no answer within {seconds:g} s"


def read_python(process: Started, path: str | None) -> tuple[Json | None, str]:
    code, text = finish(process, PYTHON_S)
    line = next((line for line in text.splitlines() if line.startswith("@[")), None)
    if code != 0 or line is None:
        last = (text.strip().splitlines() or ["nothing"])[-1]
        return None, f"{path} does not run: {last[:300]}"
    _, version, torch, accelerate = json.loads(line[1:])
    # The path as asked for, never resolved: a virtual environment is known by it.
    return {"path": path, "version": version, "torch": torch, "accelerate": accelerate}, ""


def read_gpus(process: Started, path: str | None) -> tuple[list[Json] | None, str]:
    if path is None:
        return None, "nvidia-smi is not on the PATH"
    code, text = finish(process, NVIDIA_SMI_S)
    if code != 0:
        return None, f"nvidia-smi: {(text.strip().splitlines() or ['failed'])[0][:300]}"
    gpus: list[Json] = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) == 4 and row[0].strip().isdigit():
            memory = re.fullmatch(r"(\d+)( MiB)?", row[3].strip())
            gpus.append({"index": int(row[0]), "uuid": row[1].strip(), "name": row[2].strip(), "memoryMiB": int(memory.group(1)) if memory else None})
    return gpus, "" if gpus else f"nvidia-smi lists no GPU: {text.strip()[:200]}"


def find_node() -> Json | None:
    path = shutil.which("node")
    if path is None:
        return None
    code, text = finish(begin([path, "--version"]), NVIDIA_SMI_S)
    version = text.strip().lstrip("v")
    return {"path": path, "version": version} if code == 0 and re.fullmatch(r"\d+\.\d+\.\d+\S*", version) else None


def memory_bytes() -> int:
    match = re.search(r"^MemTotal:\s+(\d+) kB", read_text("/proc/meminfo"), re.M)
    return int(match.group(1)) * 1024 if match else 0


def ephemeral_ports() -> list[int]:
    fields = read_text("/proc/sys/net/ipv4/ip_local_port_range").split()
    return [int(fields[0]), int(fields[1])] if len(fields) == 2 else [32768, 60999]


def facts(request: Json) -> Json:
    user = pwd.getpwuid(os.getuid())
    home = os.environ.get("HOME") or user.pw_dir
    python_path, python_problem = job_python(request.get("python"), home)
    # Slow things first, side by side.
    python_started = begin([python_path, "-c", LOOK]) if python_path else None
    smi_path = shutil.which("nvidia-smi")
    smi_started = begin([smi_path, "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader"]) if smi_path else None
    node = find_node()
    uname = platform.uname()
    state_dir, state_note = state_place(home)
    found: Json = {
        "os": uname.system,
        "arch": uname.machine,
        "kernel": uname.release,
        "libc": libc(),
        "hostname": socket.gethostname(),
        "user": user.pw_name,
        "uid": os.getuid(),
        "home": home,
        "shell": user.pw_shell,
        "bootId": boot_id(),
        "stateDir": state_dir,
        "stateNote": state_note,
        "helperPython": {"path": sys.executable, "version": "{}.{}.{}".format(*sys.version_info[:3])},
        "node": node,
        "interfaces": interfaces(),
        "cpus": len(os.sched_getaffinity(0)),
        "memoryBytes": memory_bytes(),
        "ephemeralPorts": ephemeral_ports(),
        "linger": lingers(user.pw_name),
        "killUserProcesses": kills_user_processes(),
    }
    found["python"], found["pythonProblem"] = read_python(python_started, python_path) if python_path else (None, python_problem)
    found["gpus"], found["gpuProblem"] = read_gpus(smi_started, smi_path)
    return found
