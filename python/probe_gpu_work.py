"""Work for idle GPUs: copies from and to the host, products that must be equal, copies between GPUs. Refuses where one is in use."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from host_facts import job_python
from probe_gpu import APPS, ask

Json = dict[str, Any]

# Runs in the job's Python. One line of JSON for each thing done, and before a copy between GPUs one that it begins: that may hang.
WORK = """
import json, statistics, time
import torch

def tell(**what):
    print("@" + json.dumps(what), flush=True)

def seconds(act, index):
    torch.cuda.synchronize(index)
    begun = time.perf_counter()
    act()
    torch.cuda.synchronize(index)
    return time.perf_counter() - begun

count = torch.cuda.device_count()
names = []
for i in range(count):
    one = torch.cuda.get_device_properties(i)
    uuid = str(getattr(one, "uuid", "") or "")
    names.append(one.name)
    tell(kind="gpu", index=i, name=one.name, uuid=uuid if uuid.startswith("GPU-") or not uuid else "GPU-" + uuid)

for i in range(count):
    size = min(256 << 20, torch.cuda.mem_get_info(i)[0] // 4)
    host = torch.ones(size, dtype=torch.uint8).pin_memory()
    there = torch.empty(size, dtype=torch.uint8, device=i)
    back = torch.empty(size, dtype=torch.uint8).pin_memory()
    there.copy_(host, non_blocking=True)
    up = min(seconds(lambda: there.copy_(host, non_blocking=True), i) for _ in range(10))
    down = min(seconds(lambda: back.copy_(there, non_blocking=True), i) for _ in range(10))
    tell(kind="copy", index=i, up=size / up / 1e9, down=size / down / 1e9, isEqual=bool(torch.equal(host, back)))
    del host, there, back

# The same numbers on all: equal GPUs must find equal bits, and each the same every time.
size, rounds = 4096, 5
source = torch.randn(2, size, size, generator=torch.Generator().manual_seed(7))
work = []
for i in range(count):
    half = torch.bfloat16 if torch.cuda.get_device_capability(i)[0] >= 8 else torch.float16
    a, b = (source[k].to(i, half) for k in (0, 1))
    work.append((a, b, a @ b))
for i in range(count):
    torch.cuda.synchronize(i)
rates = [[] for _ in range(count)]
wrong = [0] * count
end = time.perf_counter() + 5
while time.perf_counter() < end:
    marks = []
    for i, (a, b, first) in enumerate(work):
        with torch.cuda.device(i):
            begun, done = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begun.record()
            for _ in range(rounds):
                again = a @ b
            done.record()
            marks.append((begun, done, again))
    for i, (begun, done, again) in enumerate(marks):
        done.synchronize()
        rates[i].append(2 * size**3 * rounds / begun.elapsed_time(done) / 1e9)
        wrong[i] += int(not torch.equal(again, work[i][2]))
for i, (_, _, first) in enumerate(work):
    bits = first.view(torch.int16).to(torch.int64)
    weights = torch.arange(size, device=i)
    tell(kind="product", index=i, name=names[i], teraflops=statistics.median(rates[i]), wrong=wrong[i], sum=int((bits * weights).sum().item()))
del work

for i in range(count):
    for j in range(count):
        if i == j or not torch.cuda.can_device_access_peer(i, j):
            continue
        tell(kind="peer-begins", at=i, to=j)
        sent = torch.arange(4 << 20, dtype=torch.int32, device=i) * (i + 1)
        got = torch.zeros(4 << 20, dtype=torch.int32, device=j)
        got.copy_(sent)
        torch.cuda.synchronize(j)
        tell(kind="peer", at=i, to=j, isEqual=bool(torch.equal(sent.cpu(), got.cpu())))
tell(kind="end")
"""


def gpu_work(request: Json) -> str:
    """What it prints goes straight to the section, so that what was done before a hang is known."""
    if not os.path.exists("/proc/driver/nvidia/version") and not os.path.exists("/dev/nvidiactl"):
        raise FileNotFoundError("the driver of NVIDIA GPUs is not there")
    apps = ask(f"--query-compute-apps={APPS}", "--format=csv,noheader,nounits")
    if apps["code"] != 0:
        raise RuntimeError("nvidia-smi does not say who uses the GPUs")
    if str(apps["out"]).strip():
        raise PermissionError("GPUs there are in use: no work is given to them")
    path, problem = job_python(request.get("python"), os.path.expanduser("~"))
    if path is None:
        raise RuntimeError(problem)
    done = subprocess.run([path, "-c", WORK], stdin=subprocess.DEVNULL, check=False, cwd="/")
    if done.returncode != 0:
        raise RuntimeError(f"it ended with status {done.returncode}")
    return ""
