/** Programs that the end-to-end tests ship as a user would: they exist on the controller only. */

/** Meets all ranks over gloo and prints one JSON line: who it is, what the sum over the ranks was, which files it sees. */
export const MEET = `import json, os, socket, sys
import torch, torch.distributed as dist
dist.init_process_group("gloo")
told = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(told)
gathered = [None] * dist.get_world_size()
dist.all_gather_object(gathered, socket.gethostname())
print(json.dumps({
    "rank": dist.get_rank(), "world": dist.get_world_size(), "local": int(os.environ["LOCAL_RANK"]), "sum": told.item(),
    "host": socket.gethostname(), "hosts": gathered, "argv": sys.argv[1:], "file": os.path.abspath(__file__) if "__file__" in globals() else None,
}), flush=True)
dist.barrier()
dist.destroy_process_group()
`;

export const MEET_ACCELERATE = `import json, os, socket, sys
from accelerate import Accelerator
import torch
a = Accelerator()
told = a.reduce(torch.tensor([float(a.process_index + 1)]), reduction="sum")
model = a.prepare(torch.nn.Linear(2, 1))
print(json.dumps({
    "rank": a.process_index, "world": a.num_processes, "local": a.local_process_index, "sum": told.item(), "host": socket.gethostname(),
    "type": a.distributed_type.value, "model": type(model).__name__,
}), flush=True)
a.end_training()
`;

/** fully_shard over gloo, forward and backward; the loss falls and every rank holds only its part. */
export const SHARD = `import json, os, socket
import torch, torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (dist.get_world_size(),))
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
whole = sum(p.numel() for p in model.parameters())
for layer in (model[0], model[2]): fully_shard(layer, mesh=mesh)
fully_shard(model, mesh=mesh)
opt = torch.optim.SGD(model.parameters(), lr=0.05)
x, y = torch.randn(16, 8), torch.randn(16, 1)
losses = []
for _ in range(3):
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    opt.step(); opt.zero_grad()
    losses.append(loss.item())
part = sum(p.to_local().numel() for p in model.parameters())
print(json.dumps({"rank": dist.get_rank(), "world": dist.get_world_size(), "host": socket.gethostname(), "losses": losses, "part": part, "whole": whole}), flush=True)
dist.barrier()
dist.destroy_process_group()
`;

/** Writes numbered lines at a pace until /tmp/finish is there, then leaves the sha256 of all it wrote in /tmp/sum.RANK. */
export const TELL = `import hashlib, os, time
sum = hashlib.sha256()
n = 0
while not os.path.exists("/tmp/finish"):
    line = f"{n} of {os.getpid()} {'x' * 40}\\n".encode()
    sum.update(line)
    os.write(1, line)
    n += 1
    time.sleep(0.01)
with open(f"/tmp/sum.{os.environ['RANK']}.new", "w") as f: f.write(f"{sum.hexdigest()} {n} {os.getpid()}")
os.rename(f.name, f"/tmp/sum.{os.environ['RANK']}")
`;
