/** Probes as python/probe.py brings them, for tests of judges: a host without a finding, and sections that show one. */

import type { DiagContext, HostProbe, Section } from "../../cluster/diag/check.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../cluster/spec.ts";

const GIB = 2 ** 30;

export const section = (out: string, more: Partial<Section> = {}): Section => ({ code: 0, out, err: "", ms: 5, ...more });
export const json = (value: unknown): Section => section(JSON.stringify(value));

const disk = (path: string, more: object = {}): Section =>
  json({
    path,
    exists: true,
    nearest: path,
    bytes: 900 * GIB,
    free: 500 * GIB,
    used: 400 * GIB,
    inodes: 10_000_000,
    inodesFree: 9_000_000,
    mayWrite: true,
    mount: { point: "/", options: "rw,relatime", type: "ext4", source: "/dev/nvme0n1p2", isSameDevice: true },
    ...more,
  });

const packages = { torch: "2.9.1", accelerate: "1.11.0", deepspeed: "0.18.2", transformers: "4.57.1", numpy: "2.3.4", "nvidia-nccl-cu12": "2.27.5" };
const stat = (busy: number): string => `cpu  ${busy} 10 ${busy} 100000 5 0 3 0 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n`;
const vmstat = "nr_free_pages 100\npswpin 10\npswpout 20\n";

export const healthySections = (): Record<string, Section> => ({
  reach: json({ driver: "ssh2", connectMs: 210, noise: "" }),
  login: json({ user: "ada", uid: 1000, groups: ["ada", "adm"], container: "" }),
  limits: json({
    nofile: { soft: 65536, hard: 1048576 },
    nproc: { soft: 500000, hard: 500000 },
    memlock: { soft: null, hard: null },
    core: { soft: 0, hard: null },
    files: { "/proc/sys/fs/file-nr": "3600\t0\t2466170\n", "/proc/sys/kernel/pid_max": "4194304\n", "/proc/sys/kernel/threads-max": "192730\n" },
  }),
  cgroup: json({
    files: {
      "/sys/fs/cgroup/user.slice/pids.max": "max\n",
      "/sys/fs/cgroup/user.slice/memory.max": "max\n",
      "/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    },
    cpus: 32,
    online: 32,
  }),
  activity: json({ before: { "/proc/stat": stat(100), "/proc/vmstat": vmstat }, after: { "/proc/stat": stat(200), "/proc/vmstat": vmstat }, seconds: 0.5 }),
  gpu_claims: json({ cards: [], locked: {} }),
  processes: json({ count: 300, ours: 0, odd: [] }),
  environment: json({ variables: {}, has: { HF_TOKEN: true, hf_file: false } }),
  memory: json({
    "/proc/meminfo": "MemTotal:       131072000 kB\nMemFree:        90000000 kB\nMemAvailable:   100000000 kB\n",
    "/proc/swaps": "Filename Type Size Used Priority\n",
  }),
  load: json({ "/proc/loadavg": "0.15 0.20 0.18 1/595 22464\n", "/proc/uptime": "90000.04 18373.53\n" }),
  os: json({ "/etc/os-release": 'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nID=ubuntu\n' }),
  reboot: json({ asked: ["/run/reboot-required"], files: {} }),
  governor: json({ "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n" }),
  numa: json({ "/proc/sys/kernel/numa_balancing": "0\n", "/sys/devices/system/node/online": "0-1\n" }),
  power: json({ "/sys/class/dmi/id/chassis_type": "23\n" }),
  sleep: section("masked\nmasked\n", { code: 1 }),
  updates: section("disabled\n", { code: 1 }),
  holds: section(""),
  kernel_log: section("# dmesg\n[    0.000000] Linux version 6.8.0\n[   12.000000] eth0: link becomes ready\n# end of the kernel log\n"),
  clock_state: json({ state: 0, isSynchronised: true, maxErrorUs: 900 }),
  clocksource: json({ "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n" }),
  python: json({
    executable: "/opt/train/bin/python",
    version: "3.12.3",
    prefix: "/opt/train",
    packages,
    torch: { path: "/opt/train/lib/torch", version: "2.9.1+cu128", cuda: "12.8", hip: null, git: "abc", hasCudaLibrary: true },
  }),
  torch_import: json({ version: "2.9.1+cu128", seconds: 1.4 }),
  code: json({ dir: "/home/ada/job", isThere: true, commit: "0123456789abcdef", changes: null, files: { "train.py": "aa11", "uv.lock": "bb22" } }),
  "disk:home": disk("/home/ada"),
  "disk:state": disk("/home/ada/.local/state/nexadist"),
  "disk:tmp": disk("/tmp"),
  "disk:cache": disk("/home/ada/.cache/huggingface"),
  "disk:scratch": disk("/scratch"),
  "disk:shared": disk("/data", { mount: { point: "/data", options: "rw,hard", type: "nfs4", source: "nas:/data", isSameDevice: true } }),
  "disk:shm": disk("/dev/shm", {
    bytes: 64 * GIB,
    free: 63 * GIB,
    mount: { point: "/dev/shm", options: "rw", type: "tmpfs", source: "tmpfs", isSameDevice: true },
  }),
  "write:state": json({ where: "/home/ada", bytes: 1048576, ms: 12 }),
  "write:tmp": json({ where: "/tmp", bytes: 1048576, ms: 2 }),
});

/** Another text in a section of the healthy host, with the check that then has something to say. */
export const sick: readonly (readonly [check: string, name: string, Section])[] = [
  ["ssh.clean_shell", "reach", json({ driver: "ssh2", connectMs: 210, noise: "Welcome!\n" })],
  ["ssh.reachable", "reach", json({ driver: "ssh2", connectMs: 4200, noise: "" })],
  [
    "sys.klog",
    "kernel_log",
    section("", { code: 1, err: "PermissionError: journalctl: it shows nothing; dmesg: read kernel buffer failed: Operation not permitted" }),
  ],
  [
    "sys.oom",
    "kernel_log",
    section("# dmesg\n[   12.000000] eth0: ready\n[88000.100000] Out of memory: Killed process 4242 (python3) total-vm:1kB\n# end of the kernel log\n"),
  ],
  [
    "sys.hung",
    "kernel_log",
    section("# journalctl -k\n2026-11-24T09:00:00+0000 gpu-a kernel: INFO: task python:77 blocked for more than 120 seconds.\n# end of the kernel log\n"),
  ],
  ["disk.fs_errors", "kernel_log", section("# dmesg\n[89999.000000] EXT4-fs error (device sda1): ext4_find_entry\n# end of the kernel log\n")],
  ["sys.nofile", "limits", json({ ...JSON.parse(healthySections().limits?.out ?? "{}"), nofile: { soft: 256, hard: 4096 } })],
  ["sys.nproc", "limits", json({ ...JSON.parse(healthySections().limits?.out ?? "{}"), nproc: { soft: 900, hard: 900 } })],
  ["sys.cgroup", "cgroup", json({ files: { "/sys/fs/cgroup/cpu.max": "100000 100000\n" }, cpus: 32, online: 32 })],
  ["sys.memory_limit", "cgroup", json({ files: { "/sys/fs/cgroup/memory.max": "536870912\n" }, cpus: 32, online: 32 })],
  [
    "sys.swap",
    "activity",
    json({
      before: { "/proc/stat": stat(1), "/proc/vmstat": vmstat },
      after: { "/proc/stat": stat(2), "/proc/vmstat": "pswpin 90000\npswpout 20\n" },
      seconds: 0.5,
    }),
  ],
  ["sys.load", "load", json({ "/proc/loadavg": "90.0 88.5 60.0 1/595 22464\n", "/proc/uptime": "90000.04 18373.53\n" })],
  ["sys.memory", "memory", json({ "/proc/meminfo": "MemTotal:       131072000 kB\nMemAvailable:   900000 kB\n" })],
  [
    "sys.dstate",
    "processes",
    json({ count: 9, ours: 0, odd: [{ pid: 77, comm: "nvidia-smi", state: "D", ppid: 1, age: 900, parent: "bash", where: "os_acquire_mutex" }] }),
  ],
  [
    "sys.zombies",
    "processes",
    json({
      count: 99,
      ours: 0,
      odd: Array.from({ length: 60 }, (_, k) => ({ pid: 100 + k, comm: "python", state: "Z", ppid: 9, age: 900, parent: "sh", where: "" })),
    }),
  ],
  ["sys.reboot_required", "reboot", json({ "/run/reboot-required": "*** System restart required ***\n", "/run/reboot-required.pkgs": "linux-image-6.8\n" })],
  ["sys.governor", "governor", json({ "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n" })],
  ["sys.numa_balancing", "numa", json({ "/proc/sys/kernel/numa_balancing": "1\n", "/sys/devices/system/node/online": "0-1\n" })],
  ["sys.sleep", "power", json({ "/sys/class/power_supply/BAT0/type": "Battery\n", "/sys/class/power_supply/BAT0/status": "Discharging\n" })],
  [
    "sys.shm",
    "disk:shm",
    disk("/dev/shm", {
      bytes: 64 * 2 ** 20,
      free: 64 * 2 ** 20,
      mount: { point: "/dev/shm", options: "rw", type: "tmpfs", source: "shm", isSameDevice: true },
    }),
  ],
  ["env.spoilers", "environment", json({ variables: { CUDA_LAUNCH_BLOCKING: "1" }, has: {} })],
  ["tok.hf", "environment", json({ variables: {}, has: { HF_TOKEN: false } })],
  ["disk.space", "disk:scratch", disk("/scratch", { free: 2 ** 20 })],
  ["disk.inodes", "disk:scratch", disk("/scratch", { inodesFree: 3 })],
  ["disk.mount", "disk:shared", disk("/data", { exists: false, nearest: "/" })],
  ["disk.write", "write:tmp", section("", { code: 1, err: "OSError: [Errno 30] Read-only file system: '/tmp'" })],
  ["time.clocksource", "clocksource", json({ "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n" })],
  ["torch.present", "python", json({ ...JSON.parse(healthySections().python?.out ?? "{}"), packages: {}, torch: null })],
  [
    "ver.torch",
    "python",
    json({
      ...JSON.parse(healthySections().python?.out ?? "{}"),
      torch: { path: "/x", version: "2.8.0+cu128", cuda: "12.8", hip: null, git: null, hasCudaLibrary: true },
    }),
  ],
  [
    "ver.cuda",
    "python",
    json({
      ...JSON.parse(healthySections().python?.out ?? "{}"),
      torch: { path: "/x", version: "2.9.1+cpu", cuda: null, hip: null, git: null, hasCudaLibrary: false },
    }),
  ],
  ["ver.env", "python", json({ ...JSON.parse(healthySections().python?.out ?? "{}"), packages: { ...packages, numpy: "1.26.0" } })],
  ["ver.deepspeed", "python", json({ ...JSON.parse(healthySections().python?.out ?? "{}"), packages: { ...packages, deepspeed: undefined } })],
  ["ver.code", "code", json({ dir: "/home/ada/job", isThere: true, commit: "ffffffffffff", changes: null, files: { "train.py": "aa11", "uv.lock": "bb22" } })],
  [
    "ver.lock",
    "code",
    json({ dir: "/home/ada/job", isThere: true, commit: "0123456789abcdef", changes: null, files: { "train.py": "aa11", "uv.lock": "cc33" } }),
  ],
  ["ver.os", "os", json({ "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12"\n' })],
  ["disk.shared", "disk:shared", disk("/data", { mount: { point: "/", options: "rw", type: "ext4", source: "/dev/sda1", isSameDevice: true } })],
];

/** The address of a host, by its letter. */
const addressOf = (name: string): string => `10.0.0.${name.charCodeAt(name.length - 1) - 92}`;

export const healthyFacts = (name: string = "gpu-a"): HostFacts => ({
  os: "Linux",
  arch: "x86_64",
  kernel: "6.8.0-45-generic",
  libc: { kind: "glibc", version: "2.39" },
  hostname: name,
  user: "ada",
  uid: 1000,
  home: "/home/ada",
  shell: "/bin/bash",
  bootId: "898545ca-59e8-4796-8d54-5be94188b1f7",
  stateDir: "/home/ada/.local/state/nexadist",
  stateNote: "",
  helperPython: { path: "/usr/bin/python3", version: "3.12.3" },
  node: null,
  python: { path: "/opt/train/bin/python", version: "3.12.3", torch: "2.9.1", accelerate: "1.11.0" },
  pythonProblem: "",
  interfaces: [{ name: "eth0", mtu: 1500, up: true, addresses: [addressOf(name)] }],
  gpus: null,
  gpuProblem: "nvidia-smi is not on the PATH",
  cpus: 32,
  memoryBytes: 128 * GIB,
  ephemeralPorts: [32768, 60999],
  linger: true,
  killUserProcesses: false,
});

export const HOSTS = ["gpu-a", "gpu-b", "gpu-c"] as const;

export const hostSpec = (name: string): HostSpec => ({ name, transport: "ssh", address: addressOf(name), env: {}, gpus: { kind: "none", slots: 2 } });

export const healthyProbe = (host: string): HostProbe => ({ host, facts: healthyFacts(host), sections: healthySections(), clock: { offsetMs: 3, errorMs: 2 } });

/** The healthy host with one section put in place of its own. */
export const withSection = (probe: HostProbe, name: string, text: Section): HostProbe => ({ ...probe, sections: { ...probe.sections, [name]: text } });

export function diagContext(more: Partial<RunSpec> = {}): DiagContext {
  const spec: RunSpec = {
    schema: 1,
    run: "train_20261124_100000",
    name: "train",
    file: null,
    hosts: HOSTS.map(hostSpec),
    spares: [],
    minHosts: 3,
    launcher: "torchrun",
    per: "gpu",
    rdzv: null,
    rdzvPorts: null,
    job: { kind: "script", script: "train.py", args: [] },
    accelerateConfig: null,
    env: {},
    secretNames: {},
    timeouts: { connectMs: 1, startMs: 1, stopGraceMs: 1, runMs: null, suspectMs: 1, lostMs: 1, hangMs: null, firstStepMs: null },
    restart: { max: 0, backoffMs: 1, onHostLoss: "fail", onHang: "report", stopCodes: [], retryCodes: [] },
    resumeArgs: [],
    seat: null,
    logs: { quotaBytes: 1 },
    paths: { scratch: "/scratch", shared: "/data" },
    tags: [],
    code: { kind: "in-place", dir: "/home/ada/job" },
    ...more,
  };
  return { spec, tier: "deep", now: Date.parse("2026-11-24T10:00:00Z") };
}
