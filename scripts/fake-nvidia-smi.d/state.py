"""The state file of the fake nvidia-smi: read anew for each sample, while whoever tests rewrites it."""

from __future__ import annotations

import json
import os
import time
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
Row = dict[str, str]

# A captured GPU under load, at rest: what differs.
IDLE = {
    "utilization.gpu": "0 %",
    "utilization.memory": "0 %",
    "memory.used": "0 MiB",
    "temperature.gpu": "41",
    "temperature.memory": "48",
    "power.draw": "69.85 W",
    "power.draw.average": "69.85 W",
    "power.draw.instant": "69.62 W",
    "clocks.current.graphics": "345 MHz",
    "clocks.current.sm": "345 MHz",
    "clocks_event_reasons.active": "0x0000000000000001",
    "clocks_event_reasons.gpu_idle": "Active",
}
CONSUMER_IDLE = {
    "pstate": "P8",
    "temperature.memory": "N/A",
    "power.draw.average": "[N/A]",
    "clocks.current.memory": "810 MHz",
    "pcie.link.gen.gpucurrent": "1",
}
STANDING = {"timestamp", "index", "uuid", "name", "serial", "count", "driver_version", "kmd_version", "vbios_version"}
DEAD = {"lost": "[GPU is lost]", "reset": "[GPU requires reset]", "unknown": "[Unknown Error]"}


def read_control() -> dict[str, Any]:
    """Whoever writes it may not be done: half a file is read again."""
    path = os.environ.get("FAKE_NVIDIA_SMI", "/etc/fake-nvidia-smi.json")
    for _ in range(200):
        try:
            with open(path) as file:
                control: dict[str, Any] = json.load(file)
            break
        except FileNotFoundError:
            control = {}
            break
        except ValueError:
            time.sleep(0.01)
    else:
        raise SystemExit(f"{path} is no JSON")
    control.setdefault("gpus", [])
    control["mode"] = os.environ.get("FAKE_NVIDIA_SMI_MODE", control.get("mode", "ok"))
    return control


def read_profile(name: str) -> tuple[dict[str, str], Row]:
    """Field → unit, and field → value with its unit, as captured."""
    with open(os.path.join(HERE, f"{name}.csv")) as file:
        head, values = (line.rstrip("\n").split(", ") for line in file)
    fields = [cell.partition(" [") for cell in head]
    return {field: unit.rstrip("]") for field, _, unit in fields}, dict(zip((field for field, _, _ in fields), values))


def live_apps(control: dict[str, Any]) -> list[dict[str, Any]]:
    return [app for app in control.get("apps", []) if not app.get("while_alive") or os.path.exists(f"/proc/{app['pid']}")]


def rows_of(control: dict[str, Any]) -> tuple[dict[str, str], list[Row]]:
    """Units by field, and one row for each GPU."""
    profile = control.get("profile", "h100")
    units, captured = read_profile(profile)
    rows = []
    now = time.time()
    stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03d}"
    for index, given in enumerate(control["gpus"]):
        row = {**captured, **IDLE, **(CONSUMER_IDLE if profile != "h100" else {})}
        row.update(timestamp=stamp, index=str(index), count=str(len(control["gpus"])), uuid=f"GPU-00000000-0000-0000-0000-{index:012x}")
        row["pci.bus_id"] = f"00000000:{9 + index:02X}:00.0"
        row["pci.bus"] = f"0x{9 + index:02X}"
        own = sum(int(app["used_gpu_memory"]) for app in live_apps(control) if app.get("while_alive") and str(app["gpu"]) == str(index))
        if own:
            row["memory.used"] = f"{own} MiB"
        row.update({field: str(value) for field, value in given.items() if field in units})
        total, used, reserved = (mib(row[field]) for field in ("memory.total", "memory.used", "memory.reserved"))
        if "memory.free" not in given and total is not None and used is not None:
            row["memory.free"] = f"{total - used - (reserved or 0)} MiB"
        if given.get("mig"):
            row.update({"mig.mode.current": "Enabled", "mig.mode.pending": "Enabled", "utilization.gpu": "[N/A]", "utilization.memory": "[N/A]"})
        if given.get("state") in DEAD:
            kept = {"memory.used"} if given["state"] == "reset" else set()
            live = [field for field in row if field not in STANDING | kept and not field.startswith("pci.")]
            row.update(dict.fromkeys(live, DEAD[given["state"]]))
        rows.append(row)
    return units, rows


def mib(cell: str) -> int | None:
    digits = cell.split(" ")[0]
    return int(digits) if digits.isdigit() else None
