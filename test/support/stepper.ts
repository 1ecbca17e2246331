/** A trainer for tests of recovery: counts steps in a line each until /tmp/finish is there on its host; says which attempt and process it is. */
export const STEPPER = `import os, socket, time
r, n = os.environ["RANK"], 0
print(f"attempt {os.environ['NEXADIST_ATTEMPT']} rank {r} of {os.environ['WORLD_SIZE']} pid {os.getpid()} on {socket.gethostname()}", flush=True)
while not os.path.exists("/tmp/finish"):
    n += 1
    print(f"step {n}", flush=True)
    time.sleep(0.2)
`;

/** The same, but no rank goes on without the others. */
export const TOGETHER = `import os, socket, time
import torch, torch.distributed as dist
dist.init_process_group("gloo")
n = 0
print(f"attempt {os.environ['NEXADIST_ATTEMPT']} rank {dist.get_rank()} of {dist.get_world_size()} pid {os.getpid()} on {socket.gethostname()}", flush=True)
while not os.path.exists("/tmp/finish"):
    n += 1
    dist.all_reduce(torch.ones(1))
    print(f"step {n}", flush=True)
    time.sleep(0.2)
`;
