"""What the ranks of an attempt on this host are doing, as JSON (a HostLook): stacks.py ATTEMPT_DIR. Those that can be asked are asked; none is paused."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from shim_proc import all_stats, descendants, is_alive, read_stat  # noqa: E402
from stacks_ask import Question, ask_all  # noqa: E402
from stacks_nccl import Recorder, ask_ras  # noqa: E402
from stacks_pyspy import dump, find  # noqa: E402

_SAMPLE_S = 0.2
# The agent waits 6 s.
_ALL_S = 4.0
_OTHERS_MAX = 16
_WORD_MAX = 300
# Frames of all processes together, so that the answer fits a frame of the wire.
_FRAMES_MAX = 4000


def ranks_of(directory: str) -> dict[int, tuple[int, int]]:
    """Rank → (pid, start) of its last process. Raises OSError, ValueError."""
    found: dict[int, tuple[int, int]] = {}
    with open(os.path.join(directory, "pids.jsonl"), encoding="utf-8") as f:
        for line in f:
            if not line.endswith("\n"):
                break
            told = json.loads(line)
            if told.get("role") == "rank" and told.get("rank") is not None:
                found[int(told["rank"])] = (int(told["pid"]), int(told["start"]))
    return found


def cpu_ns(pid: int) -> int:
    """Time on a CPU of all its threads; in ticks of the clock where the kernel keeps nothing finer."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as f:
                    total += int(f.read().split()[0])
            except (OSError, IndexError):
                with open(f"/proc/{pid}/task/{thread}/stat", "rb") as f:
                    fields = f.read().rpartition(b")")[2].split()
                total += (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        pass
    return total


def switches_of(pid: int) -> int:
    """How often the main thread has gone to sleep by itself."""
    match = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", read_text(f"/proc/{pid}/status"), re.MULTILINE)
    return 0 if match is None else int(match[1])


def read_word(path: str) -> str:
    """The beginning of one of the small files of /proc."""
    return read_text(path).replace("\0", " ").strip()[:_WORD_MAX]


def read_text(path: str) -> str:
    """ "" when it may not be read."""
    try:
        with open(path, "rb") as f:
            return f.read(8192).decode("utf-8", "replace")
    except OSError:
        return ""


def quiet_ms(directory: str, rank: int) -> float | None:
    """Since the rank wrote a line."""
    written: list[float] = []
    for ending in ("out", "err"):
        try:
            stat = os.stat(os.path.join(directory, f"rank{rank}.{ending}"))
        except OSError:
            continue
        if stat.st_size > 0:
            written.append(stat.st_mtime)
    return max(0.0, (time.time() - max(written)) * 1000) if written else None


def look_at(pid: int, cpus: float, question: Question | None, until: float) -> dict[str, Any] | None:
    """None: it is gone."""
    stat = read_stat(pid)
    if stat is None:
        return None
    wchan = read_word(f"/proc/{pid}/wchan")
    threads = [] if question is None else question.threads
    why = "" if question is None else question.why
    source = "faulthandler" if threads else None
    # Memory can be read in any state, but a process in D may hold the lock that the reader needs.
    if source is None and stat.state not in "DZX" and time.monotonic() < until:
        program = find(pid)
        if program is not None:
            threads, said = dump(program, pid)
            source, why = ("py-spy", "") if threads else (None, f"{why}; {said}")
    return {
        "pid": pid,
        "command": read_word(f"/proc/{pid}/cmdline") or stat.comm,
        "state": stat.state,
        "wchan": "" if wchan == "0" else wchan,
        "cpus": round(cpus, 3),
        "switches": switches_of(pid),
        "threads": threads,
        "source": source,
        "why": why[:_WORD_MAX],
    }


def look(directory: str) -> dict[str, Any]:
    begun = time.monotonic()
    ranks = ranks_of(directory)
    recorders = {rank: Recorder(directory, rank) for rank in ranks}
    stats = all_stats()
    alive = {rank: pid for rank, (pid, start) in ranks.items() if is_alive(pid, start) or (pid in stats and stats[pid].start == start)}
    below = {rank: sorted(descendants([pid], stats))[:_OTHERS_MAX] for rank, pid in alive.items()}
    pids = [*alive.values(), *(pid for own in below.values() for pid in own)]
    before = {pid: cpu_ns(pid) for pid in pids}
    sampled = time.monotonic()
    time.sleep(_SAMPLE_S)
    elapsed_ns = (time.monotonic() - sampled) * 1e9
    cpus = {pid: max(0.0, (cpu_ns(pid) - before[pid]) / elapsed_ns) for pid in pids}
    questions = {pid: Question(pid, stats[pid].start, cpus[pid]) for pid in pids if pid in stats}
    until = begun + _ALL_S
    ask_all(list(questions.values()), until)
    told: list[dict[str, Any]] = []
    for rank in sorted(ranks):
        pid = alive.get(rank)
        told.append(
            {
                "rank": rank,
                "main": None if pid is None else look_at(pid, cpus[pid], questions.get(pid), until),
                "others": [one for one in (look_at(other, cpus[other], questions.get(other), until) for other in below.get(rank, [])) if one is not None],
                "quietMs": quiet_ms(directory, rank),
                "collectives": recorders[rank].answer(begun),
            }
        )
    return {"ranks": trimmed(told), "ras": ask_ras(pids), "problem": None}


def trimmed(ranks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Threads beside the main ones are the first to go, then outer frames."""

    def count() -> int:
        return sum(len(thread["frames"]) for process in processes for thread in process["threads"])

    processes = [process for rank in ranks for process in [rank["main"], *rank["others"]] if process is not None]
    if count() > _FRAMES_MAX:
        for process in processes:
            process["threads"] = [thread for thread in process["threads"] if thread["isMain"]]
    if count() > _FRAMES_MAX:
        each = max(3, _FRAMES_MAX // max(1, len(processes)))
        for process in processes:
            for thread in process["threads"]:
                thread["frames"] = thread["frames"][:each]
    return ranks


def main() -> None:
    try:
        told = look(sys.argv[1])
    except (OSError, ValueError, KeyError) as error:
        told = {"ranks": [], "ras": [], "problem": f"{error.__class__.__name__}: {error}"[:_WORD_MAX]}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
