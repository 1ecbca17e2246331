"""What nvidia-smi, PCI and the kernel say of this host's GPUs, for `diag`: raw text, judged elsewhere."""

from __future__ import annotations

import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import time
from typing import Any

from host_facts import job_python
from host_wire import read_text
from probe_setup import DRIVER, env_of

Json = dict[str, Any]

# Asked of those that the driver knows; `|` parts a field's names, the newest first. cluster/nvidia/fields.ts has why.
FIELDS: str = (
    "index uuid name pci.bus_id kmd_version|driver_version vbios_version compute_cap persistence_mode compute_mode display_active pstate "
    "utilization.gpu memory.used memory.total temperature.gpu temperature.gpu.tlimit temperature.memory fan.speed "
    "power.draw enforced.power.limit|power.limit power.default_limit power.max_limit clocks.current.sm|clocks.sm clocks.max.sm "
    "clocks_event_reasons.active|clocks_throttle_reasons.active "
    "pcie.link.gen.gpucurrent|pcie.link.gen.current pcie.link.gen.max pcie.link.width.current pcie.link.width.max "
    "mig.mode.current mig.mode.pending gpu_recovery_action ecc.mode.current "
    "ecc.errors.corrected.volatile.total ecc.errors.uncorrected.volatile.total ecc.errors.uncorrected.aggregate.total "
    "ecc.errors.uncorrected.aggregate.sram.thresholdExceeded retired_pages.pending retired_pages.single_bit_ecc.count|retired_pages.sbe "
    "retired_pages.double_bit.count|retired_pages.dbe remapped_rows.pending remapped_rows.failure remapped_rows.uncorrectable fabric.state fabric.status"
)
APPS = "gpu_uuid,pid,used_gpu_memory,process_name"
REFUSED = re.compile(r'Field "([^"\n]{1,120})" is not a valid field to query')
# A session's PATH may lack it: WSL keeps it apart.
PLACES = ("/usr/bin", "/usr/local/bin", "/usr/lib/wsl/lib")


def find_smi() -> str:
    path = shutil.which("nvidia-smi", path=os.pathsep.join([os.environ.get("PATH", ""), *PLACES]))
    if path is None:
        raise FileNotFoundError("nvidia-smi is not there")
    return path


def ask(*words: str) -> Json:
    begun = time.monotonic()
    env = {**os.environ, "LC_ALL": "C", "LANGUAGE": ""}
    done = subprocess.run([find_smi(), *words], stdin=subprocess.DEVNULL, capture_output=True, check=False, env=env)
    ms = round((time.monotonic() - begun) * 1000)
    return {"code": done.returncode, "out": done.stdout.decode("utf-8", "replace"), "err": done.stderr.decode("utf-8", "replace"), "ms": ms}


def known_fields() -> set[str]:
    """Empty where the driver does not tell."""
    lines = re.findall(r'^\s*("[A-Za-z0-9_.]+"(?:\s*(?:or|,)\s*"[A-Za-z0-9_.]+")*)\s*$', str(ask("--help-query-gpu")["out"]), re.M)
    return {name for line in lines for name in re.findall(r'"([^"]+)"', line)}


def gpus(_: Json) -> str:
    """One query of every field that this driver knows; a field that it refuses all the same is left out."""
    known = known_fields()
    fields = [next((name for name in names.split("|") if name in known), "") if known else names.split("|")[-1] for names in FIELDS.split()]
    fields = [field for field in fields if field]
    refused: list[str] = []
    while True:
        answer = ask(f"--query-gpu={','.join(fields)}", "--format=csv,nounits")
        match = REFUSED.search(f"{answer['out']}\n{answer['err']}")
        if match is None or match.group(1) not in fields or len(fields) < 3:
            return json.dumps({**answer, "fields": fields, "refused": refused, "isKnown": bool(known)})
        fields.remove(match.group(1))
        refused.append(match.group(1))


def owner_of(pid: int) -> Json | None:
    """None: no process of that number is here, as where the GPU's user is in another container."""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    fields = read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    uptime = float((read_text("/proc/uptime").split() or ["0"])[0])
    age = round(uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")) if len(fields) > 19 else None
    run = re.search(r"(?:^|\0)NEXADIST_RUN=([^\0]{1,100})", read_text(f"/proc/{pid}/environ"))
    words = read_text(f"/proc/{pid}/cmdline").split("\0")
    # The program and its script, no arguments: they may hold secrets.
    command = " ".join([os.path.basename(words[0]), *(os.path.basename(word) for word in words[1:3] if word.endswith(".py"))])
    return {"user": user, "uid": uid, "age": age, "command": command[:200], "run": run.group(1) if run else None}


def processes(_: Json) -> str:
    answer = ask(f"--query-compute-apps={APPS}", "--format=csv,noheader,nounits")
    pids = {int(pid) for pid in re.findall(r"^(?:GPU|MIG)-[^,\n]+, (\d{1,9}),", str(answer["out"]), re.M)}
    return json.dumps({**answer, "owners": {str(pid): owner_of(pid) for pid in sorted(pids)[:1000]}})


def pci(_: Json) -> str:
    """NVIDIA's display and 3D controllers that the bus has, whether a driver has them or not."""
    base = "/sys/bus/pci/devices"
    if not os.path.isdir(base):
        raise FileNotFoundError(f"{base} is not there")
    found: list[Json] = []
    for path in sorted(glob.glob(f"{base}/*")):
        kind = read_text(f"{path}/class").strip()
        if read_text(f"{path}/vendor").strip() == "0x10de" and kind[:6] in ("0x0300", "0x0302"):
            driver = os.path.basename(os.path.realpath(f"{path}/driver")) if os.path.exists(f"{path}/driver") else None
            names = ("numa_node", "local_cpulist", "current_link_width", "max_link_width")
            found.append({"busId": os.path.basename(path), "driver": driver, **{name: read_text(f"{path}/{name}").strip() for name in names}})
    nodes = len(glob.glob("/sys/devices/system/node/node[0-9]*"))
    return json.dumps({"gpus": found, "nodes": nodes, "hasSwitch": bool(glob.glob("/proc/driver/nvidia-nvswitch/devices/*"))})


def iommu(_: Json) -> str:
    words = re.findall(r"\b(?:intel_iommu|amd_iommu|iommu)=\S+", read_text("/proc/cmdline"))
    units = len(os.listdir("/sys/class/iommu")) if os.path.isdir("/sys/class/iommu") else 0
    types = sorted({read_text(path).strip() for path in glob.glob("/sys/kernel/iommu_groups/*/type")})
    is_virtual = bool(re.search(r"^flags\s*:.*\bhypervisor\b", read_text("/proc/cpuinfo"), re.M))
    return json.dumps({"words": words, "units": units, "types": types, "isVirtual": is_virtual})


def acs(_: Json) -> str:
    """Bridges that send what GPUs write to each other up to the root. Only root is shown a device's capabilities."""
    if os.geteuid() != 0:
        raise PermissionError("only root can read it")
    program = shutil.which("lspci", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin")
    if program is None:
        raise FileNotFoundError("lspci is not there")
    done = subprocess.run([program, "-vvv"], stdin=subprocess.DEVNULL, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise RuntimeError(f"lspci ended with status {done.returncode}")
    return json.dumps({"devices": len(re.findall(r"^\S", text, re.M)), "controls": text.count("ACSCtl:"), "on": len(re.findall(r"ACSCtl:.*SrcValid\+", text))})


# Runs in the job's Python. A matrix product tells more than is_available(): that a kernel for this GPU is there and runs.
TORCH = """
import json, sys, time
found = {"isBusy": len(sys.argv) > 1}
begun = time.time()
try:
    import torch
    found["torch"] = torch.__version__
    found["cuda"] = torch.version.cuda
    found["arches"] = torch.cuda.get_arch_list() if torch.version.cuda else []
    found["isAvailable"] = torch.cuda.is_available()
    found["count"] = torch.cuda.device_count()
    if found["isAvailable"]:
        found["nccl"] = list(torch.cuda.nccl.version())
        found["capabilities"] = [list(torch.cuda.get_device_capability(i)) for i in range(found["count"])]
        sums = []
        # A context takes half a GB of a GPU: not where a run may need it.
        for i in range(0 if found["isBusy"] else found["count"]):
            x = torch.ones(64, 64, device="cuda:%d" % i)
            sums.append((x @ x).sum().item())
        found["sums"] = sums
except BaseException as error:
    found["problem"] = "%s: %s" % (type(error).__name__, str(error)[:2000])
found["seconds"] = time.time() - begun
print("\\n@" + json.dumps(found))
"""


def torch_cuda(request: Json) -> str:
    """Where there is no driver, nothing is imported: that costs seconds."""
    if not any(os.path.exists(name) for name in DRIVER):
        raise FileNotFoundError("the driver of NVIDIA GPUs is not there")
    path, problem = job_python(request.get("python"), os.path.expanduser("~"))
    if path is None:
        raise RuntimeError(problem)
    apps = ask(f"--query-compute-apps={APPS}", "--format=csv,noheader,nounits")
    is_idle = apps["code"] == 0 and not str(apps["out"]).strip()
    done = subprocess.run(
        [path, "-c", TORCH, *([] if is_idle else ["busy"])], stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd="/", env=env_of(request)
    )
    text = done.stdout.decode("utf-8", "replace")
    line = next((line for line in text.splitlines() if line.startswith("@{")), None)
    if line is None:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"{path} ended with status {done.returncode} and said: {last[:300]}")
    warnings = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if re.search(r"driver|CUDA|capability|not compatible", line)]
    return json.dumps({**json.loads(line[1:]), "warnings": [line.strip()[:400] for line in warnings[:5]]})


def version(_: Json) -> str:
    """Older ones have no --version, and tell in the head of their table."""
    answer = ask("--version")
    return json.dumps(answer if "CUDA" in answer["out"] else ask())
