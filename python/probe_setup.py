"""The environment that the file's `setup` lines leave on this host, and the Python that they choose; for `diag`, which looks at the job's Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

Json = dict[str, Any]

# s: the lines are run on every look, before the programs that depend on them.
SETUP_S = 6.0
# What the lines print goes nowhere, their environment comes back. They come by stdin: other users can read an argv.
WRAPPER = 'exec 3>&1 >/dev/null 2>&1; lines=$(cat); exec </dev/null; eval "$lines" || exit 97; command env -0 >&3'

# Runs in the job's Python.
IMPORT = """
import json, time
begun = time.time()
import torch
print("\\n@" + json.dumps({"version": torch.__version__, "seconds": time.time() - begun}))
"""
DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")


def after_setup(request: Json) -> Json:
    """The request with the Python that is the job's then; `setupProblem`: why that is not known."""
    script = request.get("setup")
    if not isinstance(script, str):
        return request
    try:
        home = os.path.expanduser("~")
        done = subprocess.run(["bash", "-l", "-c", WRAPPER], input=script.encode(), capture_output=True, timeout=SETUP_S, check=False, cwd=home)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = f"no answer within {SETUP_S:g} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        return {**request, "setupProblem": f"`setup`: {why}"}
    env = dict(word.split("=", 1) for word in done.stdout.decode("utf-8", "surrogateescape").split("\0") if "=" in word)
    if done.returncode != 0 or not env:
        return {**request, "setupProblem": f"`setup` ended with status {done.returncode}"}
    found = shutil.which("python", path=env.get("PATH")) or shutil.which("python3", path=env.get("PATH"))
    if request.get("python") is None and found is None:
        return {**request, "setupProblem": "no python or python3 on the PATH after `setup`"}
    return {**request, "python": request.get("python") or found, "env": env}


def env_of(request: Json) -> dict[str, str] | None:
    """Of the job: what `setup` left, and the file's own variables; for subprocess, where None is ours."""
    env, own = request.get("env"), request.get("variables")
    if not isinstance(env, dict) and not isinstance(own, dict):
        return None
    return {**(env if isinstance(env, dict) else os.environ), **{str(name): str(value) for name, value in (own or {}).items()}}


def torch_import(request: Json, path: str | None, problem: str) -> str:
    """What keeps torch from being loaded shows only then: a library that is missing or of another version. Where torch_cuda does it, it is not done twice."""
    if any(os.path.exists(name) for name in DRIVER):
        return json.dumps({"isElsewhere": True})
    if path is None:
        raise RuntimeError(problem)
    done = subprocess.run([path, "-c", IMPORT], stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd="/", env=env_of(request))
    line = next((line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith("@{")), None)
    if line is not None:
        return line[1:]
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return json.dumps({"code": done.returncode, "said": [text[:400] for text in said[-6:]]})
