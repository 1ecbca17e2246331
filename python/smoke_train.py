"""The bundled smoke trainer: every rank says where it is, all of them sum a number, and a tiny model takes a few steps."""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import sys
import time

try:
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel
except ImportError as error:
    sys.stderr.write(f"smoke: {sys.executable} on {socket.gethostname()} cannot import torch ({error}); install it there or name another `python`\n")
    sys.exit(3)

_is_asked_to_stop = False


def _ask_to_stop(_signum: int, _frame: object) -> None:
    global _is_asked_to_stop
    _is_asked_to_stop = True


# Of those that it writes under NEXA_CHECKPOINTS; the one before the last is there while the last is written.
KEPT_CHECKPOINTS = 2


def _checkpoint_path(step: int) -> str | None:
    """Where the file says that things are kept; nowhere when it says nothing. Only in a directory of checkpoints does each step have its own."""
    directory = os.environ.get("NEXA_CHECKPOINTS")
    if directory:
        return os.path.join(directory, f"smoke-step_{step}.pt")
    for name in ("NEXA_DURABLE", "NEXA_SCRATCH"):
        directory = os.environ.get(name)
        if directory:
            return os.path.join(directory, "smoke.pt")
    return None


def _save(model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    path = _checkpoint_path(step)
    if path is None:
        return
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, exist_ok=True)
        part = os.path.join(directory, ".smoke.part")
        torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, part)
        os.replace(part, path)
        for old in _older_than(directory, step):
            os.unlink(old)
    except OSError as error:
        print(f"no checkpoint: {error}", file=sys.stderr, flush=True)
        return
    print(f"checkpoint={path} step={step}", flush=True)


def _older_than(directory: str, step: int) -> list[str]:
    """All of ours but the newest ones up to this step."""
    found = [(int(match[1]), name) for name in os.listdir(directory) for match in [re.fullmatch(r"smoke-step_(\d+)\.pt", name)] if match]
    past = sorted(each for each in found if each[0] <= step)
    return [os.path.join(directory, name) for _, name in past[:-KEPT_CHECKPOINTS]]


def _resume(model: torch.nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    """The step that an earlier attempt got to; 0: this is the beginning."""
    path = os.environ.get("NEXADIST_CHECKPOINT")
    if not path:
        return 0
    saved = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["step"])


def _agree_to_stop(device: torch.device) -> bool:
    """All ranks leave at the same step, or the next collective would hang."""
    flag = torch.tensor([1.0 if _is_asked_to_stop else 0.0], device=device)
    dist.all_reduce(flag, op=dist.ReduceOp.MAX)
    return bool(flag.item() > 0)


def _why_on_cpu(local_rank: int) -> str | None:
    """What to say when the cluster file gives this host GPUs and torch has none for this rank; None: as asked."""
    asked = os.environ.get("NEXA_GPUS", "")
    if not asked.isdigit() or int(asked) == 0:
        return None
    seen = torch.cuda.device_count()
    if torch.cuda.is_available() and seen > local_rank:
        return None
    what = f"{asked} {'GPU' if asked == '1' else 'GPUs'} a host were asked for, torch {torch.__version__} sees {seen or 'none'}"
    if torch.version.cuda is None and torch.version.hip is None:
        return f"{what} (it is built without CUDA)"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        why = str(error).strip() or type(error).__name__
        return f"{what} ({why.splitlines()[0].split('. ')[0].rstrip('.')})"
    return f"{what} (CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'unset')})"


def main() -> int:
    """Exit 0 when the sum was right and the loss fell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20, help="steps to take")
    parser.add_argument("--seconds", type=float, default=0.0, help="go on for at least this long")
    parser.add_argument("--save-every", type=int, default=10, help="steps between checkpoints, where NEXA_CHECKPOINTS names a directory")
    parser.add_argument("--sleep", type=float, default=0.0, help="seconds to wait after each step")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _ask_to_stop)
    torch.set_num_threads(1)
    torch.manual_seed(0)

    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    has_cuda = torch.cuda.is_available() and torch.cuda.device_count() > local_rank
    device = torch.device(f"cuda:{local_rank}" if has_cuda else "cpu")
    if has_cuda:
        torch.cuda.set_device(device)
    why_on_cpu = _why_on_cpu(local_rank)
    if why_on_cpu is not None:
        if torch.cuda.is_available() and torch.cuda.device_count() > 0:
            # Its neighbours train with NCCL: with gloo it would wait for them for ever.
            sys.stderr.write(f"smoke: {why_on_cpu}: none is left for local rank {local_rank} on {socket.gethostname()}\n")
            return 1
        if local_rank == 0:
            print(f"smoke: {socket.gethostname()}: {why_on_cpu}: CPU IS USED", file=sys.stderr, flush=True)
    began = time.monotonic()
    dist.init_process_group("nccl" if has_cuda else "gloo", **({"device_id": device} if has_cuda else {}))
    rank, world = dist.get_rank(), dist.get_world_size()
    print(f"rank {rank}/{world} on {socket.gethostname()} {device} {dist.get_backend()} torch {torch.__version__}", flush=True)

    total = torch.tensor([float(rank + 1)], device=device)
    dist.all_reduce(total)
    expected = world * (world + 1) / 2
    if total.item() != expected:
        print(f"rank {rank}: all-reduce gave {total.item():g}, expected {expected:g}", file=sys.stderr, flush=True)
        return 1
    if rank == 0:
        print(f"all-reduce of {world} ranks: {total.item():g}, as expected, {time.monotonic() - began:.2f} s after start", flush=True)

    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)).to(device)
    trained = DistributedDataParallel(model, device_ids=[local_rank] if has_cuda else None)
    optimizer = torch.optim.Adam(trained.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(1 + rank)
    inputs = torch.randn(256, 8, generator=generator).to(device)
    targets = inputs[:, :2].sum(dim=1, keepdim=True).tanh()
    first = last = 0.0
    step = began_at = _resume(model, optimizer, device)
    if began_at and rank == 0:
        print(f"attempt {os.environ.get('NEXADIST_ATTEMPT', '?')} goes on after step={began_at}", flush=True)
    saved_at = 0
    is_stopped = False
    while not is_stopped and (step < options.steps or time.monotonic() - began < options.seconds):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(trained(inputs), targets)
        loss.backward()
        optimizer.step()
        last = loss.item()
        first = first if step > began_at else last
        step += 1
        if rank == 0 and (step % 5 == 0 or step == 1):
            print(f"step={step} loss={last:.4f}", flush=True)
        if rank == 0 and os.environ.get("NEXA_CHECKPOINTS") and step % options.save_every == 0:
            _save(model, optimizer, step)
            saved_at = step
        time.sleep(options.sleep)
        is_stopped = _agree_to_stop(device)
    if rank == 0:
        if step > saved_at:
            _save(model, optimizer, step)
        said = f"stopped at step {step}" if is_stopped else f"ok: {world} ranks, {step} steps, loss {first:.4f} to {last:.4f}"
        if why_on_cpu is not None:
            said = said.replace("ok:", "ok, but on CPU:") + f"; {why_on_cpu}: CPU was used"
        print(said, flush=True)
    dist.barrier()
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
