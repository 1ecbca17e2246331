"""What a look at a host asks: name, then program or files, one line each. Judges of cluster/diag/checks find the answers by these names."""

from __future__ import annotations

from typing import NamedTuple


class Ask(NamedTuple):
    """`argv`: a program, run with LC_ALL=C. `files`: globs; the answer is a JSON object of path to text. `call`: a function of probe_calls.CALLS."""

    argv: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    call: str = ""
    # quick, full or deep: asked in that tier and those above it.
    tier: str = "quick"
    # s; a program that has not ended by then is ended, and given up where it cannot be.
    seconds: float = 5.0
    # Absent (code null, `why`) where this path is not there, instead of an error of its own.
    needs: str | None = None


ASKS: dict[str, Ask] = {
    # system
    "facts": Ask(call="facts", seconds=12.0),
    "limits": Ask(call="limits"),
    "cgroup": Ask(call="cgroup"),
    "activity": Ask(call="activity"),
    "processes": Ask(call="processes"),
    "environment": Ask(call="environment"),
    "login": Ask(call="login"),
    "memory": Ask(files=("/proc/meminfo", "/proc/swaps")),
    "load": Ask(files=("/proc/loadavg", "/proc/uptime")),
    "os": Ask(files=("/etc/os-release", "/usr/lib/os-release")),
    "reboot": Ask(files=("/run/reboot-required", "/run/reboot-required.pkgs", "/var/run/reboot-required", "/var/run/reboot-required.pkgs")),
    "governor": Ask(files=("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor", "/sys/devices/system/cpu/cpu*/cpufreq/energy_performance_preference")),
    "numa": Ask(files=("/proc/sys/kernel/numa_balancing", "/sys/devices/system/node/online")),
    "power": Ask(files=("/sys/class/power_supply/*/type", "/sys/class/power_supply/*/status", "/sys/class/dmi/id/chassis_type")),
    "sleep": Ask(argv=("systemctl", "is-enabled", "sleep.target", "suspend.target")),
    "updates": Ask(argv=("systemctl", "is-enabled", "unattended-upgrades.service")),
    "holds": Ask(argv=("apt-mark", "showhold"), needs="/proc/driver/nvidia/version"),  # takes seconds where it is cold
    "kernel_log": Ask(call="kernel_log"),
    # network
    "tailscale": Ask(argv=("tailscale", "status", "--json", "--peers=false")),
    "net_links": Ask(call="net_links"),
    "net_counters": Ask(call="net_counters", tier="full"),
    # GPUs
    "smi_list": Ask(argv=("nvidia-smi", "-L"), seconds=10.0),
    "smi_version": Ask(call="gpu_version", seconds=10.0),
    "smi_gpus": Ask(call="gpus", seconds=10.0),
    "smi_apps": Ask(call="gpu_processes", seconds=10.0),
    "gpu_claims": Ask(call="gpu_claims"),
    "smi_topo": Ask(argv=("nvidia-smi", "topo", "-m"), seconds=10.0),
    "smi_nvlink": Ask(argv=("nvidia-smi", "nvlink", "-s"), seconds=10.0),
    "smi_p2p": Ask(argv=("nvidia-smi", "topo", "-p2p", "r"), seconds=10.0, tier="full"),
    "smi_nvlink_errors": Ask(argv=("nvidia-smi", "nvlink", "-e"), seconds=10.0, tier="full"),
    "smi_pci": Ask(argv=("nvidia-smi", "-q", "-d", "PCI"), seconds=10.0, tier="full"),
    "gpu_pci": Ask(call="gpu_pci"),
    "fabricmanager": Ask(argv=("systemctl", "is-active", "nvidia-fabricmanager.service"), needs="/proc/driver/nvidia-nvswitch"),
    "iommu": Ask(call="iommu", tier="full"),
    "acs": Ask(call="acs", tier="full"),
    "torch_cuda": Ask(call="torch_cuda", seconds=14.0),
    "gpu_work": Ask(call="gpu_work", seconds=55.0, tier="full"),
    "dcgm": Ask(argv=("dcgmi", "diag", "-r", "2", "-j"), seconds=600.0, tier="deep"),
    # time
    "clock_state": Ask(call="clock_state"),
    "clocksource": Ask(files=("/sys/devices/system/clocksource/clocksource0/current_clocksource",)),
    # the job's Python and code
    "python": Ask(call="python", seconds=12.0),
    "torch_import": Ask(call="torch_import", seconds=14.0),
    "code": Ask(call="code", seconds=10.0),
}

# One for each directory that a run uses, as "disk:scratch": a stale mount hangs its own answer only.
DISK = Ask(call="disk")
WRITE = Ask(call="write", seconds=8.0)
