"""The file system of a host: made of named parts only, so nothing of this machine's homes or checkouts is in it."""

from __future__ import annotations

import os
import shutil
import uuid

from accounts import accounts_of
from cgroup import mount_cgroup
from kernel import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, bind, mount, pivot_root, unmount_lazily
from python_env import BASE, is_of_system, libraries
from state import Host, Lab

DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "net/tun")
# Never on a host's PATH unless asked for.
NODE = ("node", "nodejs", "npm", "npx", "corepack")


def enter_root(lab: Lab, host: Host) -> None:
    """Builds the root in this (new) mount namespace and moves into it."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    root = host["root"]
    mount("lab", root, "tmpfs", 0, "mode=755,size=64m")
    mount_system(lab, host, root)
    mount_kernel(root)
    if "cgroup" in host["options"]:
        mount_cgroup(root)
    mount_disk(lab, host, root)
    mount_temporary(lab, host, root)
    mount_python(lab, host, root)
    old = directory(root, ".old")
    pivot_root(root, old)
    os.chdir("/")
    unmount_lazily("/.old")
    os.rmdir("/.old")
    os.umask(0o022)


def directory(root: str, path: str, mode: int = 0o755) -> str:
    full = os.path.join(root, path.lstrip("/"))
    os.makedirs(full, exist_ok=True)
    os.chmod(full, mode)
    return full


def mount_system(lab: Lab, host: Host, root: str) -> None:
    """/usr read-only, less what the host must not have; a whiteout hides a file as if it were never installed."""
    hidden = directory(root, "hidden")
    mount("lab-hidden", hidden, "tmpfs", 0, "mode=755,size=1m")
    usr = directory(root, "usr")
    names = list(NODE)
    if host["options"].get("python") == "none":
        names += [name for name in os.listdir("/usr/bin") if name.startswith("python")]
    os.makedirs(f"{hidden}/bin")
    os.makedirs(f"{hidden}/lib")
    for path in [f"bin/{name}" for name in names] + ["lib/node_modules"]:
        if os.path.lexists(f"/usr/{path}"):
            os.mknod(f"{hidden}/{path}", 0o020000, 0)
    if lab["python"] is not None:
        for name in libraries(lab["python"]):
            if not os.path.lexists(f"/usr/lib/{name}"):
                os.symlink(f"{BASE}/lib/{name}", f"{hidden}/lib/{name}")
    mount("lab-usr", usr, "overlay", MS_RDONLY, f"lowerdir={hidden}:/usr")
    unmount_lazily(hidden)
    os.rmdir(hidden)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{root}/{name}")
        elif os.path.isdir(f"/{name}"):
            bind(f"/{name}", directory(root, name), MS_RDONLY)


def mount_kernel(root: str) -> None:
    proc, dev = directory(root, "proc"), directory(root, "dev")
    mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("sysfs", directory(root, "sys"), "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("dev", dev, "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for name in DEVICES:
        if os.path.exists(f"/dev/{name}"):
            os.makedirs(os.path.dirname(f"{dev}/{name}"), exist_ok=True)
            open(f"{dev}/{name}", "w").close()
            bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}.items():
        os.symlink(target, f"{dev}/{name}")
    mount("devpts", directory(dev, "pts"), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,gid=5,mode=620,ptmxmode=666")
    mount("shm", directory(dev, "shm", 0o1777), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    # A boot has an id of its own; the kernel's is the machine's, for all hosts alike.
    boot_id = f"{dev}/.boot-id"
    with open(boot_id, "w") as file:
        file.write(f"{uuid.uuid4()}\n")
    bind(boot_id, f"{proc}/sys/kernel/random/boot_id", MS_RDONLY)
    os.unlink(boot_id)


def mount_disk(lab: Lab, host: Host, root: str) -> None:
    disk = host["disk"]
    for name in ("etc", "var", "opt"):
        bind(f"{disk}/{name}", directory(root, name))
    bind(f"{disk}/usr-local", f"{root}/usr/local")
    for path in ("/etc/ssl", "/etc/alternatives"):
        if os.path.isdir(path):
            bind(path, directory(root, path), MS_RDONLY)
    if os.path.isdir(f"{root}/etc/ssl/private"):
        mount("empty", f"{root}/etc/ssl/private", "tmpfs", MS_RDONLY, "mode=700,size=4k")
    homes = host["homes"]
    if "disk" in host["options"]:
        homes = copy_homes(homes, root, host["options"]["disk"])
    flags = MS_RDONLY if host["options"].get("home") == "readonly" else 0
    for account in accounts_of(host):
        bind(f"{homes}/{account.name}", directory(root, account.home), flags)
    if homes != host["homes"]:
        unmount_lazily(homes)
        os.rmdir(homes)


def copy_homes(homes: str, root: str, size: str) -> str:
    small = directory(root, "small")
    mount("lab-homes", small, "tmpfs", 0, f"mode=755,size={size}")
    for name in os.listdir(homes):
        shutil.copytree(f"{homes}/{name}", f"{small}/{name}", symlinks=True)
        for path, _, files in os.walk(f"{homes}/{name}"):
            for entry in [path] + [os.path.join(path, file) for file in files]:
                found = os.lstat(entry)
                os.lchown(entry.replace(homes, small, 1), found.st_uid, found.st_gid)
    return small


def mount_temporary(lab: Lab, host: Host, root: str) -> None:
    shared = host["options"].get("shared_tmp")
    tmp = directory(root, "tmp", 0o1777)
    flags = MS_NOEXEC if host["options"].get("tmp") == "noexec" else 0
    if shared:
        bind(directory(lab["dir"], f"shared/tmp-{shared}", 0o1777), tmp, flags)
    else:
        mount("tmp", tmp, "tmpfs", MS_NOSUID | MS_NODEV | flags, "mode=1777")
    mount("run", directory(root, "run"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    directory(root, "run/sshd")
    directory(root, "run/lock", 0o1777)
    open(f"{root}/run/utmp", "w").close()
    for name, target in {"run": "/run", "lock": "/run/lock"}.items():
        if not os.path.lexists(f"{root}/var/{name}"):
            os.symlink(target, f"{root}/var/{name}")


def mount_python(lab: Lab, host: Host, root: str) -> None:
    python = lab["python"]
    if python is not None:
        if not is_of_system(python):
            bind(python["prefix"], directory(root, BASE), MS_RDONLY)
        at = directory(root, host["train"])
        bind(f"{host['disk']}/train", at)
        bind(python["packages"], f"{at}/lib/python{python['version']}/site-packages", MS_RDONLY)
    if host["options"].get("node") == "present":
        bind(os.path.dirname(lab["node"]), directory(root, "/opt/node"), MS_RDONLY)
        link = f"{root}/usr/local/bin/node"
        if not os.path.lexists(link):
            os.symlink("/opt/node/node", link)
