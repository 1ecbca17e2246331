/** Trainers for tests of checkpoints, as people write them: each says where it begins and what it saved, and trains until it is stopped. */

/** The Trainer of Hugging Face, its parts as they come; slow enough to be met in the middle. */
export const TRAINER = `import argparse, os, time
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 100_000
    def __getitem__(self, k):
        time.sleep(0.02)
        return {"input_ids": torch.arange(8), "labels": torch.arange(8)}

class Says(TrainerCallback):
    def on_train_begin(self, args, state, control, **kwargs):
        print(f"begins at step={state.global_step}", flush=True)
    def on_save(self, args, state, control, **kwargs):
        print(f"saved step={state.global_step}", flush=True)

parser = argparse.ArgumentParser()
parser.add_argument("--resume_from_checkpoint")
options = parser.parse_args()
model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=64, n_positions=16, bos_token_id=0, eos_token_id=0))
args = TrainingArguments(
    os.environ["NEXA_CHECKPOINTS"], max_steps=100_000, save_steps=5, save_total_limit=3, per_device_train_batch_size=2,
    report_to=[], disable_tqdm=True, use_cpu=True, ignore_data_skip=True,
)
Trainer(model=model, args=args, train_dataset=Rows(), callbacks=[Says()]).train(resume_from_checkpoint=options.resume_from_checkpoint)
`;

/** Shards of torch.distributed.checkpoint, each written where its rank runs; every rank reads all of them. */
export const SHARDED = `import os, time
import torch, torch.distributed as dist, torch.distributed.checkpoint as dcp

dist.init_process_group("gloo")
rank, path, step = dist.get_rank(), os.environ.get("NEXADIST_CHECKPOINT"), 0
if path:
    state = {f"of_{k}": torch.zeros(1000, dtype=torch.int64) for k in range(dist.get_world_size())}
    dcp.load(state, checkpoint_id=path)
    step = int(state["of_0"][0])
    assert all(bool((shard == step).all()) for shard in state.values()), "shards of several steps"
print(f"begins at step={step}", flush=True)
while True:
    step += 1
    time.sleep(0.1)
    if step % 5 == 0:
        dcp.save({f"of_{rank}": torch.full((1000,), step)}, checkpoint_id=os.path.join(os.environ["NEXA_CHECKPOINTS"], f"step_{step}"))
        print(f"saved step={step}", flush=True)
`;
