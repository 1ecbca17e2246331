"""Two ranks that do nothing but save, each on a disk of its own, killed at a moment that the test names; and a reader that says whether a checkpoint is one.

Lines on stdin: {"do": "cut", "kind", "root", "seconds"} saves under ROOT/h0 and ROOT/h1 and kills both ranks after that long;
{"do": "read", "kind", "path", "step"} loads what is at PATH.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any

os.environ.update(TOKENIZERS_PARALLELISM="false", GLOO_SOCKET_IFNAME="lo", ACCELERATE_USE_CPU="true", HF_HUB_OFFLINE="1")

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

VALUES = 400_000
START_S = 90


def save_shards(directory: str, rank: int) -> None:
    """Each step's tensors hold its number, some of each rank's alone."""
    dist.init_process_group("gloo")
    for step in range(1, 10_000):
        state = {f"of_{rank}": torch.full((VALUES,), step), "step": torch.tensor(step)}
        dcp.save(state, checkpoint_id=f"{directory}/step_{step}")


def save_trainer(directory: str, _rank: int) -> None:
    """The Trainer as everybody uses it."""
    from transformers import Trainer, TrainingArguments

    trainer = Trainer(
        model=tiny_model(),
        args=TrainingArguments(directory, max_steps=10_000, save_steps=1, per_device_train_batch_size=2, report_to=[], disable_tqdm=True, use_cpu=True),
        train_dataset=[{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 64,
    )
    trainer.train()


def tiny_model() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=128, vocab_size=2000, n_positions=16, bos_token_id=0, eos_token_id=0))


def fork() -> int:
    """As os.fork; the child does not outlive its parent."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    return pid


def start(kind: str, root: str, rank: int, port: int) -> int:
    pid = fork()
    if pid != 0:
        return pid
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 0)
        os.dup2(quiet, 1)
        os.dup2(os.open(f"{root}/rank{rank}.err", os.O_WRONLY | os.O_CREAT, 0o600), 2)
        torch.set_num_threads(1)
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        (save_shards if kind == "dcp" else save_trainer)(f"{root}/h{rank}", rank)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def cut(kind: str, root: str, seconds: float) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for rank in (0, 1):
        os.makedirs(f"{root}/h{rank}")
    pids = [start(kind, root, rank, port) for rank in (0, 1)]
    try:
        # Time counts from the first sign of a save.
        late = time.monotonic() + START_S
        while not os.listdir(f"{root}/h1"):
            if time.monotonic() > late or any(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) for pid in pids):
                return "".join(["no save began\n", *(open(f"{root}/rank{rank}.err").read()[-3000:] for rank in (0, 1))])
            time.sleep(0.005)
        time.sleep(seconds)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
    return ""


def read_apart(kind: str, path: str, step: int) -> str:
    """In a process of its own: torch begins threads as it works, and who forks after that forks locks that nobody opens."""
    end, begin = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            wrong = read(kind, path, step)
        except BaseException:
            wrong = traceback.format_exc()
        os.write(begin, wrong.encode()[-4000:])
        os._exit(0)
    os.close(begin)
    with open(end) as pipe:
        wrong = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return wrong if status == 0 else f"the reader ended with status {status}"


def read(kind: str, path: str, step: int) -> str:
    """ "" when every part is of this step."""
    if kind == "dcp":
        state = {"of_0": torch.zeros(VALUES, dtype=torch.int64), "of_1": torch.zeros(VALUES, dtype=torch.int64), "step": torch.tensor(0)}
        dcp.load(state, checkpoint_id=path)
        return "" if all(bool((value == step).all()) for value in state.values()) else "values of another step"
    from safetensors.torch import load_file

    model = tiny_model()
    model.load_state_dict(load_file(f"{path}/model.safetensors"), strict=False)
    optimizer = torch.load(f"{path}/optimizer.pt", weights_only=True)
    taken = {int(each["step"]) for each in optimizer["state"].values()}
    with open(f"{path}/trainer_state.json") as file:
        said = json.load(file)["global_step"]
    for rank in (0, 1):
        torch.load(f"{path}/rng_state_{rank}.pth", weights_only=False)
    return "" if taken == {step} and said == step else f"optimizer of steps {taken}, state of step {said}"


def main() -> None:
    if "transformers" in sys.argv:
        from transformers import GPT2LMHeadModel, Trainer  # noqa: F401 loaded once, for all that are forked
    print("{}", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            wrong = cut(order["kind"], order["root"], order["seconds"]) if order["do"] == "cut" else read_apart(order["kind"], order["path"], order["step"])
        except Exception:
            wrong = traceback.format_exc()
        print(json.dumps({"wrong": wrong}), flush=True)


if __name__ == "__main__":
    main()
