"""`python -m nexa_dist.launch --config FILE [option...] [-- program args]` becomes `nexadist up FILE [option...] [-- program args]`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def up_arguments(argv: list[str]) -> list[str]:
    """Turns --config FILE or --config=FILE into the positional FILE of `up`; what follows `--` is the user's and stays as it is."""
    end = argv.index("--") if "--" in argv else len(argv)
    ours, rest = argv[:end], argv[end:]
    files: list[str] = []
    others: list[str] = []
    words = iter(ours)
    for word in words:
        if word == "--config":
            file = next(words, None)
            if file is None:
                sys.exit("nexa_dist.launch: --config needs a file")
            files.append(file)
        elif word.startswith("--config="):
            files.append(word.removeprefix("--config="))
        else:
            others.append(word)
    return ["up", *files, *others, *rest]


def find_nexadist() -> str | None:
    """The one on PATH, else the one of the checkout or package that this file is part of."""
    beside = Path(__file__).resolve().parents[2] / "scripts" / "nexadist"
    return shutil.which("nexadist") or (str(beside) if os.access(beside, os.X_OK) else None)


def main() -> None:
    program = find_nexadist()
    if program is None:
        sys.exit("nexa_dist.launch: nexadist is not on PATH; install it with: npm install --global nexadist")
    os.execv(program, [program, *up_arguments(sys.argv[1:])])


if __name__ == "__main__":
    main()
