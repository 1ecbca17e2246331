"""The demo job: a small network learns two interleaved spirals, with DistributedDataParallel over every rank. The data is made here, from a seed."""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

STEPS = 300
POINTS = 2000
BATCH = 64  # per rank
SAVE_EVERY = 100

_is_asked_to_stop = False


def ask_to_stop(_signum: int, _frame: object) -> None:
    """SIGTERM: finish the step, save, leave."""
    global _is_asked_to_stop
    _is_asked_to_stop = True


def two_spirals(points: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points on two arms that wind around each other 1.5 times, with noise, and which arm each is on."""
    generator = torch.Generator().manual_seed(seed)
    arm = torch.arange(points) % 2
    radius = torch.rand(points, generator=generator).sqrt() * 0.95 + 0.05
    angle = radius * 3 * math.pi + arm * math.pi
    xy = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return xy + 0.01 * torch.randn(points, 2, generator=generator), arm.float()


def features(xy: torch.Tensor) -> torch.Tensor:
    """The coordinates, and their sines at a few frequencies: a small network then needs seconds, not minutes."""
    return torch.cat([xy] + [f(math.pi * k * xy) for k in (1,) for f in (torch.sin, torch.cos)], dim=1)


def save(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> str:
    """Whole or not at all: written beside, then renamed. The step is in the name: nexadist goes on from the last one."""
    directory = os.environ.get("NEXA_CHECKPOINTS") or os.environ.get("NEXA_DURABLE") or "."
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"step_{step}.pt")
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, path + ".part")
    os.replace(path + ".part", path)
    return os.path.abspath(path)


def load(model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    """The step that an earlier attempt had saved; 0: this is the beginning."""
    path = os.environ.get("NEXADIST_CHECKPOINT")
    if not path:
        return 0
    saved = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["step"])


def main() -> None:
    """Trains, and prints a line every 20 steps from rank 0."""
    signal.signal(signal.SIGTERM, ask_to_stop)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    has_cuda = torch.cuda.is_available() and torch.cuda.device_count() > local_rank
    device = torch.device(f"cuda:{local_rank}" if has_cuda else "cpu")
    dist.init_process_group("nccl" if has_cuda else "gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    print(f"rank {rank} of {world} starts on {socket.gethostname()} ({device})", flush=True)

    xy, arm = two_spirals(POINTS, seed=7)
    xy, arm = features(xy).to(device), arm.to(device)
    net = nn.Sequential(nn.Linear(xy.shape[1], 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)).to(device)
    model = DistributedDataParallel(net, device_ids=[local_rank] if has_cuda else None)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    step = done = load(net, optimizer, device)
    generator = torch.Generator().manual_seed(100 + rank + done)  # every rank draws batches of its own
    began = time.monotonic()
    for step in range(done + 1, STEPS + 1):
        picked = torch.randint(POINTS, (BATCH,), generator=generator).to(device)
        output = model(xy[picked]).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(output, arm[picked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # loss, correct answers, and whether any rank was asked to stop: one message for the three
        report = torch.tensor([loss.item(), ((output > 0) == (arm[picked] > 0.5)).float().mean().item(), float(_is_asked_to_stop)], device=device)
        dist.all_reduce(report)
        mean_loss, accuracy, asked = (report / world).tolist()
        if rank == 0 and (step % 20 == 0 or step == 1):
            print(f"step={step} loss={mean_loss:.3f} acc={accuracy:.3f}", flush=True)
        if rank == 0 and (step % SAVE_EVERY == 0 or asked or step == STEPS):
            print(f"checkpoint={save(net, optimizer, step)} step={step}", flush=True)
        if asked:
            break
    dist.barrier()
    print(f"rank {rank} ends after {step} steps, {time.monotonic() - began:.1f} s", flush=True)
    dist.destroy_process_group()
    sys.exit(0)


if __name__ == "__main__":
    main()
