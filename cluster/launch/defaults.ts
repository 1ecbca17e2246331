/** Variables that ranks get unless somebody set them: each with its reason. Docs and --dry-run are made from this table. */

export type DefaultsContext = {
  /** False for CPU ranks. */
  readonly usesGpus: boolean;
  readonly nproc: number;
  /** CPUs that this host's ranks can count on; null: unknown. */
  readonly cpus: number | null;
  readonly interface: { readonly name: string; readonly family: "AF_INET" | "AF_INET6" | null; readonly why: string } | null;
  readonly gpuNames: readonly string[];
  /** "2.9.1+cu128"; null: unknown. */
  readonly torch: string | null;
};

export type EnvDefault = {
  readonly name: string;
  /** Names that say the same: when one of them is set, this one stays away. */
  readonly aliases?: readonly string[];
  /** Shown in the docs. */
  readonly when: string;
  readonly value: (c: DefaultsContext) => string | null;
  readonly reason: (c: DefaultsContext) => string;
};

/** GeForce of the 40 and 50 series: the driver offers no peer-to-peer between cards, older drivers claimed it and hung. */
const LACKS_P2P = /RTX (40|50)\d\d/;

/** torch 2.9 renamed it and came to warn of the old name. For the pipe that asks on demand the size is 2000 from then on, whatever is set; older ones need theirs. */
const hasNewRecorderName = ({ torch }: DefaultsContext): boolean => {
  const [major = 0, minor = 0] = (torch ?? "").split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 10);
};

const isTailscale = (c: DefaultsContext): boolean => c.interface?.name.startsWith("tailscale") ?? false;
const why = (text: string) => (): string => text;
const RECORDER = { reason: why("torch's own default; only where it is set does torch tell its last collectives on demand (nexadist hang)") };
const onInterface = (c: DefaultsContext): string => `${c.interface?.name} ${c.interface?.why}`;

export const ENV_DEFAULTS: readonly EnvDefault[] = [
  { name: "PYTHONUNBUFFERED", when: "always", value: () => "1", reason: why("a line is in the log when it is printed, also when the rank is killed") },
  { name: "PYTHONFAULTHANDLER", when: "always", value: () => "1", reason: why("a segfault or abort leaves a Python stack in the log") },
  {
    name: "OMP_NUM_THREADS",
    when: "the host's CPUs are known",
    value: (c) => (c.cpus === null ? null : String(Math.max(1, Math.floor(c.cpus / c.nproc)))),
    reason: (c) => `${c.cpus} CPUs for ${c.nproc} ${c.nproc === 1 ? "rank" : "ranks"} here; torchrun alone would say 1`,
  },
  { name: "GLOO_SOCKET_IFNAME", when: "the interface is known", value: (c) => c.interface?.name ?? null, reason: onInterface },
  { name: "TP_SOCKET_IFNAME", when: "the interface is known", value: (c) => c.interface?.name ?? null, reason: (c) => `tensorpipe (RPC): ${onInterface(c)}` },
  {
    name: "NCCL_SOCKET_IFNAME",
    when: "GPU ranks, the interface is known",
    value: (c) => (c.usesGpus && c.interface !== null ? `=${c.interface.name}` : null),
    reason: (c) => `${onInterface(c)}; "=" means exactly this name, NCCL would use every interface it finds`,
  },
  {
    name: "NCCL_SOCKET_FAMILY",
    when: "GPU ranks, the peers' address is numeric",
    value: (c) => (c.usesGpus ? (c.interface?.family ?? null) : null),
    reason: why("the family of the address that the peers use"),
  },
  {
    name: "NCCL_IB_DISABLE",
    aliases: ["NCCL_NET"],
    when: "GPU ranks over a tailscale interface",
    value: (c) => (c.usesGpus && isTailscale(c) ? "1" : null),
    reason: why("RDMA does not pass through a tailnet; NCCL would try an adapter that the peers cannot reach"),
  },
  {
    name: "NCCL_P2P_DISABLE",
    aliases: ["NCCL_P2P_LEVEL"],
    when: "more than one GeForce RTX 40 or 50 on the host",
    value: (c) => (c.usesGpus && c.gpuNames.length > 1 && c.gpuNames.some((name) => LACKS_P2P.test(name)) ? "1" : null),
    reason: (c) =>
      `${c.gpuNames.find((name) => LACKS_P2P.test(name))}: the driver has no peer-to-peer for it, older drivers claim it and hang; a patched driver: set 0`,
  },
  {
    name: "NCCL_DEBUG",
    when: "GPU ranks",
    value: (c) => (c.usesGpus ? "INFO" : null),
    reason: why("lines at start only (init, bootstrap, environment), none in steady state; under nexadist in a file per rank, apart from the program's output"),
  },
  {
    name: "TORCH_NCCL_ASYNC_ERROR_HANDLING",
    aliases: ["NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_BLOCKING_WAIT", "NCCL_BLOCKING_WAIT"],
    when: "GPU ranks",
    value: (c) => (c.usesGpus ? "3" : null),
    reason: why("end the process when a collective fails; torch's own default, where torchrun forces 1, which can hang in ncclCommAbort"),
  },
  {
    name: "TORCH_FR_BUFFER_SIZE",
    aliases: ["TORCH_NCCL_TRACE_BUFFER_SIZE"],
    when: "GPU ranks, torch 2.10 or newer",
    value: (c) => (c.usesGpus && hasNewRecorderName(c) ? "2000" : null),
    ...RECORDER,
  },
  {
    name: "TORCH_NCCL_TRACE_BUFFER_SIZE",
    aliases: ["TORCH_FR_BUFFER_SIZE"],
    when: "GPU ranks, an older torch or an unknown one",
    value: (c) => (c.usesGpus && !hasNewRecorderName(c) ? "2000" : null),
    ...RECORDER,
  },
  {
    name: "PYTORCH_CUDA_ALLOC_CONF",
    // torch 2.9 renamed it; the old name is read first, and only one may be set.
    aliases: ["PYTORCH_ALLOC_CONF"],
    when: "GPU ranks",
    value: (c) => (c.usesGpus ? "expandable_segments:True" : null),
    reason: why("less fragmentation, so fewer out-of-memory errors with memory to spare"),
  },
];
