"""Who has claimed GPUs of this host, and who waits for them, for `diag`. Read-only: no lock of a GPU is tried, which would keep a run from it meanwhile."""

from __future__ import annotations

import json
import os
from typing import Any

import claims

Json = dict[str, Any]


def _said(card: claims.Card) -> Json:
    said = card.said
    gpus = said.get("gpus")
    return {
        "run": str(said.get("run"))[:128],
        "name": str(said.get("name"))[:200],
        "user": card.user,
        "by": str(said.get("by"))[:200],
        "gpus": [str(gpu)[:256] for gpu in gpus[:1024]] if isinstance(gpus, list) else [],
        "isWaiting": said.get("isWaiting") is True,
    }


def gpu_claims(_: Json) -> str:
    """`locked`: files of GPUs whose lock the kernel shows with somebody who has no card."""
    try:
        directory = os.open(claims.DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return json.dumps({"cards": [], "locked": {}})
    try:
        cards = [_said(card) for card in claims.read_cards(directory)]
        files = [name for name in os.listdir(directory) if name.startswith("gpu.")][:1024]
        locked = {name[4:]: found for name in files if (found := claims.locker(directory, name))}
    finally:
        os.close(directory)
    return json.dumps({"cards": cards, "locked": locked})
