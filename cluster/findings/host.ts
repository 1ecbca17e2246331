/** Findings of hosts, data and tools around the training. */

import { inFamily } from "./finding.ts";

export const HOST = inFamily("host", "exception", [
  {
    code: "NO_SPACE",
    title: "a disk is full",
    role: "root",
    patterns: [/No space left on device|Disk quota exceeded/],
    cause: "Checkpoints, logs, caches or /dev/shm filled the volume, or the user's quota.",
    remedy: "df -h there; free space, or point HF_HOME, TMPDIR and the checkpoints to another volume. torchrun leaves torchelastic_* in TMPDIR.",
  },
  {
    code: "SAVE_FAILED",
    title: "torch could not write a file to its end",
    role: "root",
    patterns: [/inline_container\.cc.{0,200}(?:unexpected pos|failed writing)/],
    cause: "Nearly always the disk or the quota was full while a checkpoint was saved; what is left of that file is torn.",
    remedy: "df -h and quota there; free space, keep fewer checkpoints, or point `paths: {checkpoints: …}` and the script to another volume.",
    dependsOn: ["NO_SPACE"],
  },
  {
    code: "TOO_MANY_FILES",
    title: "too many open files",
    role: "root",
    patterns: [/Too many open files/],
    cause: "NCCL and data loader workers use many descriptors, and the limit is low.",
    remedy: "ulimit -n 131072 (limits.conf, or `setup`); torch.multiprocessing.set_sharing_strategy('file_system') needs fewer.",
  },
  {
    code: "DATALOADER_DIED",
    title: "a data loader worker ended",
    role: "root",
    patterns: [/DataLoader worker \(pid\(?s?\)? [^)\n]{1,200}\) (?:is killed by signal|exited unexpectedly)/],
    cause: "A child of the rank was killed for want of memory, or crashed.",
    remedy: "Fewer workers, less prefetching; look at the kernel log there: journalctl -k | grep -i oom.",
    dependsOn: ["KERNEL_OOM", "WORKER_SIGBUS"],
  },
  {
    code: "WANDB_INIT",
    title: "Weights & Biases cannot be reached",
    role: "root",
    patterns: [/wandb: .{0,200}(?:[Rr]un initialization has timed out|Network error|CommError)|wandb\.errors\.\w{0,40}CommError/],
    cause: "Rank 0 waits in wandb.init while the others wait for it in a collective, which looks like a hang.",
    remedy: "WANDB_MODE=offline, or a way out to its servers; call wandb.init on rank 0 only, before the first collective.",
  },
  {
    code: "IMPORT_FAILED",
    title: "a Python module is missing or broken",
    role: "setup",
    isFinal: true,
    patterns: [/(?:ModuleNotFoundError|ImportError): (?<what>.{1,300})/],
    cause: "The Python environment there is not that of the other hosts, or a library does not fit.",
    remedy: "Install it there with the `python` of that host (PYTHON -m pip install …), or correct `python`.",
  },
  {
    code: "ACCELERATE_KEYS",
    title: "accelerate does not know a key of its configuration",
    role: "setup",
    isFinal: true,
    patterns: [/The config file at .{0,300} had unknown keys \(\[(?<keys>.{0,300})\]\)/],
    cause: "The file was written for another version, or has torchrun's options in it.",
    remedy: "Remove {keys} from the file; what belongs to the rendezvous nexadist gives itself.",
  },
  {
    code: "SSH_REFUSED",
    title: "SSH does not let us in",
    role: "setup",
    kind: "network",
    patterns: [
      /ssh: connect to host (?<host>\S{1,255}) port (?<port>\d{1,5}): |Permission denied \(publickey|Host key verification failed|kex_exchange_identification/,
    ],
    cause: "The host is off or behind a firewall, the key is not accepted, or its host key is not known.",
    remedy: "nexadist hosts says which; ssh -v to the host shows each step.",
  },
]);
