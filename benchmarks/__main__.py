"""Every benchmark, one after the other: `python -m benchmarks`, or `make bench`."""

import subprocess
import sys

from benchmarks.program import INTERRUPTED
from openpacs.install import ROOT

NAMES = ("store", "find", "retrieve", "million")


def main() -> int:
    """Each in a process of its own; 1 where one did not pass, at once where interrupted."""
    codes = []
    for name in NAMES:
        try:
            done = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=False
            )
        except KeyboardInterrupt:
            return INTERRUPTED
        if done.returncode == INTERRUPTED:
            return INTERRUPTED
        codes.append(done.returncode)
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
