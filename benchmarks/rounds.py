"""Interleaved rounds: every contestant once a round, in the other order the next time."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.processes import BenchmarkError
from tests.servers import NoServer

# What ends a contestant's part and not the benchmark; OSError: it hung up, or never answered.
FAILURES = (BenchmarkError, NoServer, OSError)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One cell: the figure in the unit of its case, and what it cost."""

    value: float
    cpu_ms: float | None = None  # of the server, per instance
    busy: float | None = None  # fraction of the machine in use before it began


@dataclass
class Readings:
    """What a contestant reached in each round; `failure` says why there are no more."""

    rounds: list[Reading] = field(default_factory=list)
    failure: str = ""


def interleaved(
    case: str, contestants: Mapping[str, Callable[[], Reading]], *, rounds: int
) -> dict[str, Readings]:
    """Read all contestants `rounds` times; one that fails is left out from then on."""
    readings = {name: Readings() for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            if not readings[name].failure:
                _read(readings[name], contestants[name], f"{case}, round {turn + 1}, {name}")
    return readings


def interleaved_cases(
    contestants: Mapping[str, Callable[[], Mapping[str, Reading]]],
    *,
    cases: Iterable[str],
    rounds: int,
) -> dict[str, dict[str, Readings]]:
    """The same for contestants that read all `cases` once they run: contestant -> case -> rounds.

    One that fails in a round has failed in every case from then on.
    """
    listed = list(cases)
    found = {name: {case: Readings() for case in listed} for name in contestants}
    failures: dict[str, str] = {}
    names = list(contestants)
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            if name not in failures:
                _read_cases(name, turn, contestants[name], found[name], failures)
    for name, failure in failures.items():
        for readings in found[name].values():
            readings.failure = failure
    return found


def _read_cases(
    name: str,
    turn: int,
    read: Callable[[], Mapping[str, Reading]],
    found: dict[str, Readings],
    failures: dict[str, str],
) -> None:
    say(f"  Round {turn + 1}, {name}")
    try:
        for case, reading in read().items():
            found[case].rounds.append(reading)
            say(f"    {case}: {reading.value:.4g}")
    except FAILURES as problem:
        failures[name] = str(problem)
        say(f"    failed: {problem}")


def _read(readings: Readings, read: Callable[[], Reading], title: str) -> None:
    began = time.monotonic()
    try:
        reading = read()
    except FAILURES as problem:
        readings.failure = str(problem)
        say(f"  {title}: failed: {problem}")
    else:
        readings.rounds.append(reading)
        say(f"  {title}: {reading.value:.4g} ({time.monotonic() - began:.0f} s)")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
