"""Runs as `sitecustomize` in every Python of a rank: its stacks can be asked for by a signal. Then the sitecustomize that would have run otherwise does.

The prologue puts it alone into a directory that comes first on PYTHONPATH. Nothing here may be felt by the program: no file is left, no output, no error
(any Python may come across it, so it keeps to what all of them can read). Stacks go to a file without a name that only /proc/PID/fd shows. Signals:
51 tells where the thread that takes it is (the main thread), which is safe at any moment; 52 tells all threads and may be sent only while none of them runs,
for their frames are read where they are. 51 and 52 lie between those that C libraries (from 32) and tools such as Valgrind (from 64 down) use themselves.
"""

import sys

STACK_OF_MAIN = 51
STACKS_OF_ALL = 52
FILE_NAME = "nexadist-stacks"
# Out of the way of programs that count on low numbers, or close them.
_LEAST_FD = 100


def _open_nameless():  # type: () -> int
    import fcntl
    import os

    make = getattr(os, "memfd_create", None)
    if make is not None:
        low = int(make(FILE_NAME))
    else:  # a Python built against an old C library
        path = "/dev/shm/{}-{}".format(FILE_NAME, os.getpid())  # noqa: UP032
        low = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.unlink(path)
    try:
        # Emptied from outside before each use; without O_APPEND the next stack would begin where the last one ended.
        fcntl.fcntl(low, fcntl.F_SETFL, fcntl.fcntl(low, fcntl.F_GETFL) | os.O_APPEND)
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _LEAST_FD)
    finally:
        os.close(low)


def _listen():  # type: () -> None
    import os

    if os.environ.get("NEXADIST_STACKS") == "0":
        return
    import _signal  # type: ignore[import-not-found]  # `signal` would load much more
    import faulthandler

    if any(_signal.getsignal(signum) != _signal.SIG_DFL for signum in (STACK_OF_MAIN, STACKS_OF_ALL)):
        return
    fd = _open_nameless()
    # By number: a file object would be closed at the end of the interpreter, and its number handed on.
    faulthandler.register(STACK_OF_MAIN, file=fd, all_threads=False, chain=False)
    faulthandler.register(STACKS_OF_ALL, file=fd, all_threads=True, chain=False)


def _step_aside():  # type: () -> None
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != here]
    sys.path_importer_cache.pop(here, None)


try:
    _listen()
except Exception:
    pass
try:
    _step_aside()
except Exception:
    pass
sys.modules.pop("sitecustomize", None)
# What it raises, its absence included, `site` gets and treats as ever.
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
