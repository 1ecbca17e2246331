"""Runs as a rank in place of the user's program, sets up what belongs to this rank, and becomes the program: prologue.py -- PROGRAM ARGS…"""

import os
import signal
import socket
import sys
import time

# Rank 0 hosts the ranks' store. Who comes before it is refused, and torch then sleeps half a second and more before it tries again (TCPStore.cpp), which is
# what most starts would pay: importing torch takes all ranks the same time, give or take a tenth of a second.
_HEAD_START_S = 0.15
# The shim answers in about a millisecond; a rank is never lost to a shim that does not.
_ANSWER_S = 2.0


def open_logs(directory: str, rank: str) -> None:
    """The rank's own files become its stdout and stderr."""
    for fd, ending in ((1, "out"), (2, "err")):
        opened = os.open(os.path.join(directory, f"rank{rank}.{ending}"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(opened, fd)
        os.close(opened)


def set_variables(env: "dict[str, str]", directory: str, rank: str) -> None:
    """Those that differ from rank to rank, and MASTER_PORT, which torchrun would pick at random."""
    if "NCCL_DEBUG" in env and "NCCL_DEBUG_FILE" not in env:
        env["NCCL_DEBUG_FILE"] = os.path.join(directory, f"rank{rank}.nccl")
    if (env.get("TORCH_FR_BUFFER_SIZE") or env.get("TORCH_NCCL_TRACE_BUFFER_SIZE") or "").isdigit():
        # torch adds the rank itself: a byte into the pipe makes it write its last collectives into the file.
        env.setdefault("TORCH_NCCL_DEBUG_INFO_PIPE_FILE", os.path.join(directory, "fr_"))
        if "TORCH_NCCL_DEBUG_INFO_TEMP_FILE" not in env:
            env.setdefault("TORCH_FR_DUMP_TEMP_FILE", os.path.join(directory, "fr_dump_"))
    if env.get("NEXADIST_SCRATCH_BASE"):
        env["NEXA_SCRATCH"] = os.path.join(env["NEXADIST_SCRATCH_BASE"], f"rank_{rank}")
    if env.get("NEXADIST_MASTER_PORT"):
        env["MASTER_PORT"] = env["NEXADIST_MASTER_PORT"]
    ours = os.path.join(directory, "error", f"rank{rank}.json")
    theirs = env.setdefault("TORCHELASTIC_ERROR_FILE", ours)
    if theirs != ours:
        try:
            os.symlink(ours, theirs)  # torchrun reads its own path; the text lands where the agent looks
        except OSError:
            pass


def put_inside(env: "dict[str, str]", directory: str) -> None:
    """Every Python of the rank tells its stacks when it is asked: inside.py runs as its sitecustomize. Where that cannot be, nobody needs to know."""
    if env.get("NEXADIST_STACKS") == "0":
        return
    place = put_file(os.path.join(directory, "inside"), "sitecustomize.py", "inside.py")
    others = env.get("PYTHONPATH", "")
    if place is not None:
        env["PYTHONPATH"] = place + (os.pathsep + others if others else "")


def put_module(env: "dict[str, str]", directory: str) -> None:
    """The rank may import nexa_dist, after whatever of that name is the user's own on PYTHONPATH."""
    place = put_file(os.path.join(directory, "module"), "nexa_dist.py", "rank_steps.py")
    others = env.get("PYTHONPATH", "")
    if place is not None:
        env["PYTHONPATH"] = (others + os.pathsep if others else "") + place


def put_file(place: str, name: str, source: str) -> "str | None":
    """A copy of a file of ours, alone in a directory; None: there is no room for it."""
    target = os.path.join(place, name)
    try:
        if not os.path.exists(target):
            os.makedirs(place, mode=0o700, exist_ok=True)
            with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), source), "rb") as f:
                text = f.read()
            own = f"{target}.{os.getpid()}"  # another rank may be doing the same
            with open(own, "wb") as f:
                f.write(text)
            os.replace(own, target)
    except OSError:
        return None
    return place


def tell_shim(path: str, rank: str, local_rank: str) -> None:
    """Who this process is, so that its end is seen at once."""
    with open("/proc/self/stat", "rb") as f:
        start = int(f.read().rpartition(b")")[2].split()[19])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(_ANSWER_S)
        s.connect(path)
        s.sendall(b'{"hello":"rank","rank":%d,"localRank":%d,"pid":%d,"start":%d}\n' % (int(rank), int(local_rank), os.getpid(), start))
        s.recv(64)


def given_environment() -> "dict[str, str]":
    """As it was handed over: in the C locale Python adds an LC_CTYPE of its own (PEP 538), which is not the user's."""
    env = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as f:
            if b"\0LC_CTYPE=" not in b"\0" + f.read():
                env.pop("LC_CTYPE", None)
    except OSError:
        pass
    return env


def main() -> None:
    """Problems of ours go to stderr and never stop the rank."""
    if len(sys.argv) < 3 or sys.argv[1] != "--":
        sys.exit("usage: prologue.py -- PROGRAM ARGS...")
    program = sys.argv[2:]
    env = given_environment()
    directory, path = env.get("NEXADIST_DIR"), env.get("NEXADIST_SOCKET")
    rank, local_rank = env.get("RANK", ""), env.get("LOCAL_RANK", "0")
    try:
        if directory and rank:
            open_logs(directory, rank)
            set_variables(env, directory, rank)
        if path and rank:
            tell_shim(path, rank, local_rank)
        if directory and rank:
            put_inside(env, directory)
            put_module(env, directory)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"nexadist: {error}\n")
        sys.stderr.flush()
    if rank not in ("", "0") and "MASTER_PORT" in env:
        time.sleep(_HEAD_START_S)
    for name in ("NEXADIST_SOCKET", "NEXADIST_DIR", "NEXADIST_MASTER_PORT", "NEXADIST_SCRATCH_BASE"):
        env.pop(name, None)
    for signum in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signum, signal.SIG_DFL)  # Python ignores them, and an exec keeps what is ignored
    try:
        os.execvpe(program[0], program, env)
    except OSError as error:
        sys.stderr.write(f"nexadist: cannot run {program[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(126 if isinstance(error, PermissionError) else 127)


main()
