"""How much a run does: everything, or with QUICK=1 what fits into five minutes."""

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from openpacs.install import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`large` and `small` are instances of each of the eight studies that are sent."""

    quick: bool
    rounds: int
    large: int
    small: int
    quiet_seconds: float  # how long a cell waits for the machine to be idle

    def instances(self, kind: str) -> int:
        """Instances per study of one kind of data."""
        return {"large": self.large, "small": self.small}[kind]


# Cells of some seconds: in shorter ones the start and the end of clients weigh too much.
FULL = Plan(quick=False, rounds=5, large=200, small=400, quiet_seconds=30)
QUICK = Plan(quick=True, rounds=1, large=15, small=30, quiet_seconds=2)


def chosen() -> Plan:
    """QUICK=1 chooses the quick one; ROUNDS=3 fewer rounds of the full one."""
    if os.environ.get("QUICK", "") not in {"", "0"}:
        return QUICK
    return replace(FULL, rounds=int(os.environ.get("ROUNDS") or FULL.rounds))


def scratch() -> Path:
    """Where data, servers and logs of benchmarks live: OPENPACS_BENCH_FOLDER, or below /tmp."""
    named = os.environ.get("OPENPACS_BENCH_FOLDER")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / "openpacs-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
