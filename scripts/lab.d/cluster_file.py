"""The lab as a cluster file of nexadist."""

from __future__ import annotations

import json

from state import Lab


def cluster_yaml(lab: Lab) -> str:
    lines = [f"# scripts/lab cluster {lab['name']}", "cluster:"]
    for host in lab["hosts"].values():
        # Unprivileged hosts share the address 127.0.0.1 and differ in port, so they go by the name in the ssh configuration.
        lines.append(f"  - host: {host['name'] if lab['mode'] == 'user' else host['address']}")
        if lab["mode"] == "user":
            lines.append("    address: 127.0.0.1")
        if host["user"] != "root" and lab["mode"] == "root":
            lines.append(f"    user: {host['user']}")
        if host["train"]:
            lines.append(f"    python: {json.dumps(host['train'])}")
        lines += [f"    gpus: {host['gpus']}"] if host["gpus"] else ["    gpus: 0", "    slots: 2"]
    lines.append("backend: torch.distributed")
    return "\n".join(lines) + "\n"
