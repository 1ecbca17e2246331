"""The job's Python of a host: the packages of a virtual environment of this machine, moved to a path of the host's own."""

from __future__ import annotations

import glob
import os
import re

from problem import Problem
from state import Lab

# Where the base interpreter of the environment is mounted when it is not the system's.
BASE = "/opt/python"


def look_at(venv: str) -> dict[str, str] | None:
    """Facts of the environment; None where there is none, and hosts then have no torch."""
    try:
        with open(os.path.join(venv, "pyvenv.cfg")) as file:
            text = file.read()
    except FileNotFoundError:
        return None
    home = re.search(r"^home\s*=\s*(.+)$", text, re.MULTILINE)
    packages = glob.glob(os.path.join(glob.escape(venv), "lib/python3.*/site-packages"))
    if home is None or len(packages) != 1:
        raise Problem(f"{venv} is not a virtual environment that the lab understands")
    prefix = os.path.dirname(os.path.realpath(home.group(1).strip()))
    version = os.path.basename(os.path.dirname(packages[0]))[len("python") :]
    return {"venv": venv, "prefix": prefix, "packages": packages[0], "version": version}


def is_of_system(python: dict[str, str]) -> bool:
    return python["prefix"] == "/usr"


def libraries(python: dict[str, str]) -> list[str]:
    """Shared libpython of a base that was built elsewhere: its run path names a directory that a host does not have."""
    return [] if is_of_system(python) else [os.path.basename(path) for path in glob.glob(os.path.join(python["prefix"], "lib/libpython3*.so*"))]


def write_env(lab: Lab, directory: str, at: str) -> None:
    """The files of the environment, except its packages, as `at` on the host; scripts of the original get the new first line."""
    python = lab["python"]
    base = "/usr" if is_of_system(python) else BASE
    version = python["version"]
    os.makedirs(os.path.join(directory, f"lib/python{version}/site-packages"), exist_ok=True)
    os.makedirs(os.path.join(directory, "bin"), exist_ok=True)
    with open(os.path.join(directory, "pyvenv.cfg"), "w") as file:
        file.write(f"home = {base}/bin\ninclude-system-site-packages = false\n")
    for name, target in {"python": f"{base}/bin/python{version}", "python3": "python", f"python{version}": "python"}.items():
        path = os.path.join(directory, "bin", name)
        if not os.path.lexists(path):
            os.symlink(target, path)
    for source in glob.glob(os.path.join(glob.escape(python["venv"]), "bin/*")):
        copy_script(source, os.path.join(directory, "bin"), f"#!{at}/bin/python\n")


def copy_script(source: str, into: str, first_line: str) -> None:
    if os.path.islink(source) or not os.access(source, os.X_OK):
        return
    with open(source, "rb") as file:
        head = file.readline(200)
        if not head.startswith(b"#!") or b"python" not in head:
            return
        body = file.read()
    path = os.path.join(into, os.path.basename(source))
    with open(path, "wb") as file:
        file.write(first_line.encode() + body)
    os.chmod(path, 0o755)
