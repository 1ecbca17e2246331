/** What a run prints in which nothing is wrong: launchers, NCCL, trainers, libraries with their usual warnings. */

export const HEALTHY = `
W1124 10:00:01.265000 12133 torch/distributed/run.py:852] 
W1124 10:00:01.265000 12133 torch/distributed/run.py:852] *****************************************
W1124 10:00:01.265000 12133 torch/distributed/run.py:852] Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to avoid your system being overloaded, please further tune the variable for optimal performance in your application as needed. 
I1124 10:00:02.100000 12133 torch/distributed/launcher/api.py:202] Starting elastic_operator with launch configs:
I1124 10:00:02.100000 12133 torch/distributed/launcher/api.py:202]   entrypoint         : train.py
I1124 10:00:02.100000 12133 torch/distributed/launcher/api.py:202]   max_restarts       : 0
I1124 10:00:02.100000 12133 torch/distributed/launcher/api.py:202]   rdzv_configs       : {'rank': 0, 'timeout': 900}
I1124 10:00:02.900000 12133 torch/distributed/elastic/agent/server/api.py:525] [default] Starting worker group
gpu-a:2139:2139 [0] NCCL INFO Bootstrap : Using eth0:10.0.0.34<0>
gpu-a:2139:2139 [0] NCCL INFO NET/Plugin : Plugin load (libnccl-net.so) returned 2 : libnccl-net.so: cannot open shared object file: No such file or directory
gpu-a:2139:2139 [0] NCCL INFO NET/IB : No device found.
gpu-a:2139:2139 [0] NCCL INFO NET/Socket : Using [0]eth0:10.0.0.34<0>
gpu-a:2139:2139 [0] NCCL INFO Using network Socket
gpu-a:2139:2150 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] [send] via NET/Socket/0
gpu-a:2139:2139 [0] NCCL INFO cudaDriverVersion 13000
gpu-a:2139:2139 [0] NCCL INFO ncclCommInitRankConfig comm 0x55d rank 0 nranks 2 cudaDev 0 nvmlDev 0 busId 1000 commId 0x9 - Init COMPLETE
[rank0]:[W1124 10:00:09.597517393 ProcessGroupNCCL.cpp:5068] Guaranteed order of collectives is not kept
Some weights of BertForSequenceClassification were not initialized from the model checkpoint and are newly initialized: ['classifier.bias', 'classifier.weight']
/opt/env/lib/python3.12/site-packages/torch/utils/data/dataloader.py:627: UserWarning: This DataLoader will create 16 worker processes in total. Our suggested max number of worker in current system is 8
  warnings.warn(
FutureWarning: \`torch.cuda.amp.GradScaler(args...)\` is deprecated. Please use \`torch.amp.GradScaler('cuda', args...)\` instead.
{'loss': 2.3113, 'grad_norm': 1.2402, 'learning_rate': 4.9e-05, 'epoch': 0.01}
{'loss': 1.9042, 'grad_norm': 0.9113, 'learning_rate': 4.8e-05, 'epoch': 0.02}
step 100 loss 1.873 tokens/s 120311 mem 61.2 GiB out of 79.1 GiB
step 200 loss 1.712 tokens/s 120877 retries 0 errors 0 timeouts 0
saving checkpoint to /data/ckpt/step-200 (12.1 GB in 9.3 s)
wandb: Currently logged in as: someone. Use \`wandb login --relogin\` to force relogin
wandb: Run data is saved locally in wandb/run-20261124_100011-abc
wandb: Syncing run calm-sun-12
Token indices sequence length is longer than the specified maximum sequence length for this model (1203 > 1024).
100%|##########| 500/500 [10:00<00:00,  1.20s/it]
Training completed. Do not forget to share your model on huggingface.co/models =)
[rank0]:[W1124 10:20:00.597517393 ProcessGroupNCCL.cpp:1496] Warning: WARNING: destroy_process_group() was not called before program exit, which can leak resources.
I1124 10:20:01.100000 12133 torch/distributed/elastic/agent/server/api.py:879] [default] worker group successfully finished. Waiting 300 seconds for other agents to finish.
I1124 10:20:01.200000 12133 torch/distributed/elastic/agent/server/api.py:932] Done waiting for other agents. Elapsed: 0.0004 seconds
[    0.000000] Linux version 6.8.0-45-generic (buildd@lcy02) (gcc 13.2.0)
[    2.101010] pci 0000:64:01.0: AER: enabled with IRQ 31
[   12.300000] nvidia: loading out-of-tree module taints kernel.
[   12.400000] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.65.06
[   18.500000] nvidia-uvm: Loaded the UVM driver, major device number 510.
`;
