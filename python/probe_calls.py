"""What a look at a host finds out without a program of the host's own. Each gives text, JSON but for the kernel log, so that a cut answer is seen to be one."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import resource
import shutil
import subprocess
import sys
import time
from typing import Any, Callable

from host_facts import facts
from host_wire import read_text
from probe_claims import gpu_claims
from probe_disk import disk, write
from probe_gpu import acs, gpus, iommu, pci, torch_cuda, version
from probe_gpu import processes as gpu_processes
from probe_gpu_work import gpu_work
from probe_net import net_counters, net_links
from probe_python import code, job_packages, torch_import

Json = dict[str, Any]

# Between two looks at counters and at states of processes.
PAUSE_S = 0.5
# Variables that steer torch and its libraries: no secrets by these names.
STEERING = re.compile(
    r"^(NCCL_|GLOO_|TORCH_|TORCHELASTIC_|PET_|CUDA_|PYTORCH_|OMP_|MKL_|NVIDIA_|NSIGHT_|ACCELERATE_)"
    r"|^(MASTER_ADDR|MASTER_PORT|RANK|WORLD_SIZE|LOCAL_RANK|HF_HOME|LD_LIBRARY_PATH|LD_PRELOAD|PYTHONPATH|PYTHONHOME|VIRTUAL_ENV|CONDA_PREFIX)$"
)
# Present or not is all that is told of these.
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY", "WANDB_MODE", "HF_HUB_OFFLINE")
LOG_END = "# end of the kernel log"


def limits(_: Json) -> str:
    names = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC, "memlock": resource.RLIMIT_MEMLOCK, "core": resource.RLIMIT_CORE}
    found: Json = {}
    for name, number in names.items():
        soft, hard = resource.getrlimit(number)
        found[name] = {"soft": None if soft == resource.RLIM_INFINITY else soft, "hard": None if hard == resource.RLIM_INFINITY else hard}
    files = ("/proc/sys/fs/file-nr", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max")
    return json.dumps({**found, "files": {path: read_text(path) for path in files}})


def cgroup(_: Json) -> str:
    """The limits of every group from ours up: the least holds. v2, or the controllers of v1."""
    found: Json = {}
    for line in read_text("/proc/self/cgroup").splitlines():
        _number, controllers, path = [*line.split(":", 2), "", ""][:3]
        bases = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] if controllers == "" else [f"/sys/fs/cgroup/{controllers}"]
        for base in bases:
            here = path.rstrip("/")
            while True:
                for name in ("memory.max", "cpu.max", "pids.max", "pids.current", "memory.limit_in_bytes", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
                    text = read_text(f"{base}{here}/{name}")
                    if text:
                        found[f"{base}{here}/{name}"] = text
                if not here:
                    break
                here = here.rpartition("/")[0]
    return json.dumps({"files": found, "cpus": len(os.sched_getaffinity(0)), "online": os.cpu_count()})


def activity(_: Json) -> str:
    """Counters twice, to see what grows."""
    paths = ("/proc/stat", "/proc/vmstat")
    before = {path: read_text(path) for path in paths}
    begun = time.monotonic()
    time.sleep(PAUSE_S)
    return json.dumps({"before": before, "after": {path: read_text(path) for path in paths}, "seconds": time.monotonic() - begun})


def _processes() -> dict[int, Json]:
    found: dict[int, Json] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        head, _, tail = read_text(f"/proc/{name}/stat").rpartition(")")
        fields = tail.split()
        if len(fields) > 20:
            found[int(name)] = {"pid": int(name), "comm": head.partition("(")[2], "state": fields[0], "ppid": int(fields[1]), "start": int(fields[19])}
    return found


def processes(_: Json) -> str:
    """Those that are stuck in the kernel in two looks, or dead and not fetched; `age` s."""
    before = _processes()
    time.sleep(PAUSE_S)
    now = _processes()
    uptime = float((read_text("/proc/uptime").split() or ["0"])[0])
    ticks = os.sysconf("SC_CLK_TCK")
    odd: list[Json] = []
    for pid, one in now.items():
        state = one["state"]
        if state in ("D", "Z") and before.get(pid, {}).get("state") == state and before[pid]["start"] == one["start"]:
            odd.append(
                {
                    **one,
                    "age": round(uptime - one["start"] / ticks),
                    "parent": now.get(one["ppid"], {}).get("comm", ""),
                    "where": read_text(f"/proc/{pid}/wchan"),
                }
            )
    # Only those of this user tell: our ranks and what they started.
    ours = sum(1 for pid in now if "NEXADIST_MARK=" in read_text(f"/proc/{pid}/environ"))
    return json.dumps({"count": len(now), "ours": ours, "odd": odd[:500]})


def environment(_: Json) -> str:
    names = {name: value[:1000] for name, value in os.environ.items() if STEERING.search(name)}
    home = os.environ.get("HOME", "")
    hub = os.environ.get("HF_HOME") or os.path.join(home, ".cache/huggingface")
    has = {name: bool(os.environ.get(name)) for name in TOKENS}
    has["hf_file"] = os.path.isfile(os.path.join(hub, "token")) and os.path.getsize(os.path.join(hub, "token")) > 0
    has["wandb_netrc"] = "api.wandb.ai" in read_text(os.path.join(home, ".netrc"))
    return json.dumps({"variables": names, "has": has})


def login(_: Json) -> str:
    user = pwd.getpwuid(os.getuid())
    groups: list[str] = []
    for gid in sorted({os.getgid(), *os.getgroups()}):
        try:
            groups.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            groups.append(str(gid))
    return json.dumps({"user": user.pw_name, "uid": user.pw_uid, "groups": groups, "container": container()})


def container() -> str:
    """The kind of container that this is; empty: none that shows."""
    for path, kind in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if os.path.exists(path):
            return kind
    return read_text("/run/systemd/container").strip() or ("container" if "container" in os.environ else "")


def kernel_log(_: Json) -> str:
    """The newest lines of this boot, after a line that names the program, before one that says that they are whole."""
    problems: list[str] = []
    for argv in (["journalctl", "-k", "-b", "-q", "--no-pager", "-o", "short-iso", "-n", "5000"], ["dmesg"]):
        program = shutil.which(argv[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/bin")
        if program is None:
            problems.append(f"{argv[0]} is not there")
            continue
        done = subprocess.run(
            [program, *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=4.0, check=False, env={**os.environ, "LC_ALL": "C", "LANGUAGE": ""}
        )
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode == 0 and text.strip():
            kept = text[-480_000:]
            return f"# {' '.join(argv)}\n{kept if len(kept) == len(text) else kept.partition(chr(10))[2]}{'' if text.endswith(chr(10)) else chr(10)}{LOG_END}\n"
        problems.append(f"{argv[0]}: {(done.stderr.decode('utf-8', 'replace').strip().splitlines() or ['it shows nothing'])[0][:200]}")
    raise PermissionError("; ".join(problems))


def clock_state(_: Json) -> str:
    """adjtimex(2): whether the kernel's clock is kept in step, and by how much it may be off."""
    import ctypes

    class Timex(ctypes.Structure):
        _fields_ = [
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_byte * 256),
        ]

    timex = Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    # STA_UNSYNC is 0x40; maxerror in microseconds.
    return json.dumps({"state": state, "isSynchronised": not timex.status & 0x40, "maxErrorUs": timex.maxerror})


def look(request: Json) -> str:
    return json.dumps(facts(request))


CALLS: dict[str, Callable[[Json], str]] = {
    "facts": look,
    "limits": limits,
    "cgroup": cgroup,
    "activity": activity,
    "processes": processes,
    "environment": environment,
    "login": login,
    "kernel_log": kernel_log,
    "clock_state": clock_state,
    "disk": disk,
    "write": write,
    "gpus": gpus,
    "gpu_processes": gpu_processes,
    "gpu_version": version,
    "gpu_claims": gpu_claims,
    "gpu_pci": pci,
    "iommu": iommu,
    "acs": acs,
    "torch_cuda": torch_cuda,
    "gpu_work": gpu_work,
    "python": job_packages,
    "torch_import": torch_import,
    "code": code,
    "net_links": net_links,
    "net_counters": net_counters,
}

assert sys.version_info >= (3, 9)
