"""What every benchmark does around its cases: folder, results, table, exit code."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks import clients, machine, orthanc, ours, page, results
from benchmarks.plan import PAGE, RESULTS, Plan, chosen, scratch
from benchmarks.processes import BenchmarkError, run
from benchmarks.results import Row, Surroundings
from benchmarks.rounds import say
from tests.prepare import find_program
from tests.servers import NoServer

INTERRUPTED = 130  # as a shell reports Ctrl-C


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a benchmark is given: how much to do, a folder that goes away, what to note."""

    plan: Plan
    folder: Path
    where: Surroundings

    def place(self, name: str) -> Path:
        """A new folder of its own for a contestant."""
        folder = self.folder / name
        folder.mkdir()
        return folder


def perform(name: str, measure: Callable[[Bench], Iterator[Row]]) -> int:
    """Run a benchmark and publish its rows; 1 where a gate was missed or a case failed."""
    signal.signal(signal.SIGTERM, _interrupt)
    plan, began, rows = chosen(), time.monotonic(), list[Row]()
    say(f"Benchmark {name}{' (quick)' if plan.quick else ''}")
    folder = Path(tempfile.mkdtemp(prefix=f"run-{name}-", dir=scratch()))
    try:
        bench = Bench(plan=plan, folder=folder, where=_surroundings(plan))
        for row in measure(bench):
            rows.append(row)
            say(f"{row['case']}: {results.verdict(row) or 'no gate'}, ratio {row['ratio']}")
    except KeyboardInterrupt:
        say(f"Interrupted; nothing is published.\n{results.text_table(rows)}")
        return INTERRUPTED
    except (BenchmarkError, NoServer) as problem:
        say(f"Benchmark {name} cannot be run: {problem}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _publish(name, rows, time.monotonic() - began)


def _publish(name: str, rows: list[Row], seconds: float) -> int:
    results.write(rows, RESULTS / f"{name}.json")
    if not any(row.get("quick") for row in rows):
        PAGE.write_text(page.render(RESULTS))
    say(f"\n{results.text_table(rows)}\n")
    passed = results.all_passed(rows)
    say(f"{name}: {'passed' if passed else 'FAILED'} after {seconds:.0f} s")
    return 0 if passed else 1


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    # A second request must not cut the clean-up short.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _surroundings(plan: Plan) -> Surroundings:
    versions = {**ours.versions(), **orthanc.versions(), **_other_versions()}
    return Surroundings(versions=versions, machine=machine.describe(), quick=plan.quick)


def _other_versions() -> dict[str, str]:
    commands = {
        "DCMTK": [clients.program("storescu"), "--version"],
        "PostgreSQL": [find_program("postgres") or "postgres", "--version"],
        "Redis": [find_program("redis-server") or "redis-server", "--version"],
    }
    found = {}
    for name, command in commands.items():
        said = run(command, environment=clients.environment(), seconds=10)
        words = [word for word in said.split() if word.lstrip("v=").replace(".", "").isdigit()]
        found[name] = words[0].lstrip("v=") if words else said.partition("\n")[0]
    return found
