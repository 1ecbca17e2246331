"""What ranks import as `nexa_dist`: `nexa_dist.step(n, loss=loss)` tells how training gets on. Outside of a run, and whatever goes wrong, it does nothing.

The prologue puts it on the ranks' path under that name. It prints a line on stderr, at most one in five seconds, which the controller reads before all others:
nexadist: step=12/400 loss=2.31 tokens/s=9000 busy=0.12
"""

import os
import sys
import time
from typing import Any, Optional

# Of every rank, in the log of the run: more would only be noise.
_EVERY_S = 5.0
_is_told = bool(os.environ.get("NEXADIST_ATTEMPT"))
_last_at = 0.0
_tokens = 0.0
_busy = 0.0
_busy_count = 0


def step(n: int, *, total: Optional[int] = None, loss: Any = None, tokens: Optional[float] = None, busy: Optional[float] = None) -> None:
    """Says that step `n` (of `total`) is done. `tokens`: of this rank in this step. `busy`: seconds that it worked itself before it met the other ranks,
    which shows who the others wait for. `loss` may be a tensor: it is read only when a line is printed.
    """
    if not _is_told:
        return
    try:
        _step(n, total, loss, tokens, busy)
    except Exception:
        pass


def _step(n: int, total: Optional[int], loss: Any, tokens: Optional[float], busy: Optional[float]) -> None:
    global _last_at, _tokens, _busy, _busy_count
    now = time.monotonic()
    if tokens is not None and _last_at > 0:  # those before the first line have no time
        _tokens += float(tokens)
    if busy is not None:
        _busy += float(busy)
        _busy_count += 1
    if _last_at > 0 and now - _last_at < _EVERY_S and n != total:
        return
    words = [f"step={int(n)}" + (f"/{int(total)}" if total is not None else "")]
    if loss is not None:
        words.append(f"loss={float(loss):.6g}")
    if _tokens > 0 and now > _last_at:
        words.append(f"tokens/s={_tokens / (now - _last_at):.6g}")
    if _busy_count > 0:
        words.append(f"busy={_busy / _busy_count:.6g}")
    _last_at, _tokens, _busy, _busy_count = now, 0.0, 0.0, 0
    sys.stderr.write("nexadist: " + " ".join(words) + "\n")
    sys.stderr.flush()
