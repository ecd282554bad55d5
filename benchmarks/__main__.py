"""Every benchmark, one after the other: `python -m benchmarks`, or `make bench`."""

import signal
import subprocess
import sys
from types import FrameType

from benchmarks.program import INTERRUPTED
from openpacs.install import ROOT

NAMES = (
    *("store", "find", "retrieve", "qido", "metadata", "frames", "stow", "render"),
    *("viewer", "million"),
)


def main() -> int:
    """Each in a process of its own; 1 where one did not pass, at once where interrupted."""
    # Ctrl-C reaches the benchmark too, which ends its servers: that is waited for.
    signal.signal(signal.SIGINT, _leave_it_to_the_benchmark)
    codes = []
    for name in NAMES:
        code = _perform(name)
        if code == INTERRUPTED:
            return code
        codes.append(code)
    return int(any(codes))


def _perform(name: str) -> int:
    with subprocess.Popen([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT) as benchmark:
        signal.signal(signal.SIGTERM, lambda number, frame: benchmark.terminate())
        return benchmark.wait()


def _leave_it_to_the_benchmark(number: int, frame: FrameType | None) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
