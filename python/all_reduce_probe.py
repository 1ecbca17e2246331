"""A trial before a run: every rank meets all others, sums with them, checks the sum and times it. Lines of JSON behind a word tell how far each rank came."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from datetime import timedelta

try:
    import torch
    import torch.distributed as dist
except ImportError as error:
    sys.stderr.write(f"probe: {sys.executable} on {socket.gethostname()} cannot import torch ({error}); install it there or name another `python`\n")
    sys.exit(3)

WORD = "nexadist-probe"
# A size whose all-reduce takes longer than this is the last: a slow link must not cost minutes.
LONG_S = 0.5
REPEATS = 5


def tell(stage: str, **values: object) -> None:
    print(f"{WORD} {json.dumps({'stage': stage, 'rank': int(os.environ['RANK']), **values})}", flush=True)


def meet(timeout: timedelta) -> tuple[dist.Store, int, int]:
    """The store of the ranks, when all of them have said a word in it."""
    store, rank, world = next(dist.rendezvous("env://", timeout=timeout))
    store.set_timeout(timeout)
    store.set(f"nexadist/{rank}", socket.gethostname())
    try:
        store.wait([f"nexadist/{other}" for other in range(world)], timeout)
    except RuntimeError:
        missing = [other for other in range(world) if not store.check([f"nexadist/{other}"])]
        raise SystemExit(f"probe: rank {rank} on {socket.gethostname()} met the store, but ranks {missing} did not within {timeout.seconds} s") from None
    return store, rank, world


def check(tensor: torch.Tensor, world: int) -> None:
    """Integers and small floats sum exactly, whatever the order."""
    expected = world * (world + 1) // 2
    wrong = int((tensor != expected).sum().item())
    if wrong:
        raise SystemExit(f"probe: wrong sum on rank {os.environ['RANK']} of {socket.gethostname()}: {wrong} of {tensor.numel()} values differ from {expected}")


def time_one(count: int, device: torch.device, rank: int, world: int) -> float:
    """s of the slowest rank; the best of a few."""
    best = float("inf")
    for _ in range(REPEATS):
        tensor = torch.full((count,), rank + 1, dtype=torch.float32, device=device)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        began = time.monotonic()
        dist.all_reduce(tensor)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took = torch.tensor([time.monotonic() - began], dtype=torch.float64, device=device)
        check(tensor, world)
        dist.all_reduce(took, op=dist.ReduceOp.MAX)
        best = min(best, float(took.item()))
        if best > LONG_S:
            break
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["auto", "gloo", "nccl"], default="auto", help="auto: nccl where this rank has a GPU")
    parser.add_argument("--max-mib", type=int, default=16, help="largest tensor")
    parser.add_argument("--timeout", type=int, default=30, help="seconds to wait for each other")
    options = parser.parse_args()
    torch.set_num_threads(1)
    timeout = timedelta(seconds=options.timeout)
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    has_cuda = torch.cuda.is_available() and torch.cuda.device_count() > local_rank
    if options.backend == "nccl" and not has_cuda:
        raise SystemExit(f"probe: torch {torch.__version__} sees no GPU for local rank {local_rank} on {socket.gethostname()}")
    backend = ("nccl" if has_cuda else "gloo") if options.backend == "auto" else options.backend
    device = torch.device(f"cuda:{local_rank}" if backend == "nccl" else "cpu")
    if backend == "nccl":
        torch.cuda.set_device(device)
    tell("begun", host=socket.gethostname(), torch=torch.__version__, backend=backend)
    store, rank, world = meet(timeout)
    tell("met", world=world)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=timeout)
    first = torch.full((1,), rank + 1, dtype=torch.int64, device=device)
    dist.all_reduce(first)
    check(first, world)
    tell("summed")
    size = 64 * 1024
    while size <= options.max_mib * 1024 * 1024:
        took = time_one(size // 4, device, rank, world)
        if rank == 0:
            tell("timed", bytes=size, ms=took * 1000)
        if took > LONG_S:
            break
        size *= 4
    dist.barrier()
    tell("done")
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
