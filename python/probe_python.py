"""What is installed in the job's Python, without importing any of it, and what its code is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import Any

import probe_setup
from host_facts import job_python

Json = dict[str, Any]

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "conda-lock.yml", "requirements.lock", "requirements.txt", "environment.yml")

# Runs in the job's Python, whatever its version: so old syntax only.
LIST = """
import json, os, re, sys
found = {"executable": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3], "prefix": sys.prefix, "packages": {}, "torch": None}
try:
    from importlib.metadata import distributions
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            found["packages"].setdefault(re.sub("[-_.]+", "-", name).lower(), one.version)
except ImportError:
    found["packages"] = None
try:
    import importlib.util
    spec = importlib.util.find_spec("torch")
    if spec and spec.origin:
        base = os.path.dirname(spec.origin)
        text = open(os.path.join(base, "version.py")).read()
        get = lambda name: (re.search(r"^%s\\b[^=\\n]*= *'([^']*)'" % name, text, re.M) or [None, None])[1]
        libs = os.listdir(os.path.join(base, "lib")) if os.path.isdir(os.path.join(base, "lib")) else []
        found["torch"] = {"path": base, "version": get("__version__"), "cuda": get("cuda"), "hip": get("hip"), "git": get("git_version"),
                          "hasCudaLibrary": any(name.startswith("libtorch_cuda") for name in libs)}
except Exception as error:
    found["torchProblem"] = "%s: %s" % (type(error).__name__, error)
print("\\n@" + json.dumps(found))
"""


def job_packages(request: Json) -> str:
    if "setupProblem" in request:
        raise RuntimeError(request["setupProblem"])
    path, problem = job_python(request.get("python"), os.path.expanduser("~"))
    if path is None:
        raise FileNotFoundError(problem)
    env = probe_setup.env_of(request)
    done = subprocess.run([path, "-c", LIST], stdin=subprocess.DEVNULL, capture_output=True, timeout=11.0, check=False, cwd="/", env=env)
    text = done.stdout.decode("utf-8", "replace")
    line = next((line for line in text.splitlines() if line.startswith("@{")), None)
    if line is None:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"{path} ended with status {done.returncode} and said: {last[:300]}")
    # A wrapper is not what sys.executable names.
    return json.dumps({**json.loads(line[1:]), "path": path, **({"isAfterSetup": True} if "env" in request else {})})


def torch_import(request: Json) -> str:
    return probe_setup.torch_import(request, *job_python(request.get("python"), os.path.expanduser("~")))


def hash_of(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(64 * 1024 * 1024)).hexdigest()
    except OSError:
        return None


def git(folder: str, *words: str) -> str | None:
    """Never asks, never writes: `git status` would refresh the index."""
    env = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(["git", "-C", folder, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=6.0, check=False, env=env)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def code(request: Json) -> str:
    """The directory that ranks run in, where it is no copy of ours: its commit, its changes, its lock files, the script."""
    folder = request.get("code")
    if not isinstance(folder, str):
        return json.dumps({"dir": None})
    path = os.path.join(os.path.expanduser("~"), os.path.expanduser(folder))
    if not os.path.isdir(path):
        return json.dumps({"dir": path, "isThere": False})
    head = git(path, "rev-parse", "HEAD")
    changes = git(path, "diff", "HEAD", "--", ".")
    names = [*LOCKS, *(name for name in [request.get("script")] if isinstance(name, str))]
    hashes = {name: hash_of(os.path.join(path, name)) for name in names}
    return json.dumps(
        {
            "dir": path,
            "isThere": True,
            "commit": head.strip() if head else None,
            "changes": hashlib.sha256(changes.encode()).hexdigest() if changes else None,
            "files": {name: value for name, value in hashes.items() if value},
        }
    )
