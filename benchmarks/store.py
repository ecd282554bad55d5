"""C-STORE beside Orthanc: `python -m benchmarks.store`.

Large and small instances over 1, 4 and 8 associations, stock Nagle clients, and the memory
that an open association takes.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from benchmarks import clients, data, machine
from benchmarks.associations import opened
from benchmarks.contestants import Contestant
from benchmarks.engines import Embedded, at_scale
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved

Contestants = dict[str, Contestant]

KINDS = {"large": "CT 530 KB", "small": "CT/MR 10-39 KB"}
GATES = {"large": Gate(2.0, 3.5), "small": Gate(1.8, 3.0)}
ASSOCIATIONS = (1, 4, 8)
NAGLE_ASSOCIATIONS = AT_SCALE = 4
# Per study: with Nagle's algorithm an Orthanc takes 85 ms an instance, so there are fewer.
NAGLE_INSTANCES = {"large": 10, "small": 20}
OPEN = 50


def measure(bench: Bench) -> Iterator[Row]:
    with at_scale() as engine:
        embedded = Openpacs(bench.place("embedded"), Embedded())
        scaled = Openpacs(bench.place("scaled"), engine)
        for department in (embedded, scaled):
            department.prepare()
        both: Contestants = {"openpacs": embedded, "Orthanc": Orthanc(bench.place("orthanc"))}
        for kind, associations in product(KINDS, ASSOCIATIONS):
            # The larger engine is compared at one number of associations: it is not gated.
            more: Contestants = {engine.name: scaled} if associations == AT_SCALE else {}
            yield from _rates(bench, kind, associations, both | more)
        for kind in KINDS:
            yield _nagle(bench, kind, both)
        yield _memory(bench, both)


def _rates(bench: Bench, kind: str, associations: int, contestants: Contestants) -> Iterator[Row]:
    """A row for each engine of openpacs, against the same cells of Orthanc."""
    name = f"{KINDS[kind]}, {_so_many(associations)}"
    read = {who: _cell(one, kind, associations, bench.plan) for who, one in contestants.items()}
    readings = interleaved(name, read, rounds=bench.plan.rounds)
    orthanc = readings.pop("Orthanc")
    as_shipped = Case(name=name, unit="instances/s", gate=GATES[kind])
    yield compare(as_shipped, readings.pop("openpacs"), orthanc, bench.where)
    for engine, reached in readings.items():
        case = Case(name=f"{name}, {engine}", unit="instances/s")
        yield compare(case, reached, orthanc, bench.where)


def _nagle(bench: Bench, kind: str, contestants: Contestants) -> Row:
    name = f"{KINDS[kind]}, {_so_many(NAGLE_ASSOCIATIONS)}, Nagle"
    read = {
        who: _cell(one, kind, NAGLE_ASSOCIATIONS, bench.plan, nodelay=False)
        for who, one in contestants.items()
    }
    readings = interleaved(name, read, rounds=bench.plan.rounds)
    case = Case(name=name, unit="instances/s")
    return compare(case, readings["openpacs"], readings["Orthanc"], bench.where)


def _cell(
    contestant: Contestant, kind: str, associations: int, plan: Plan, *, nodelay: bool = True
) -> Callable[[], Reading]:
    per_study = plan.instances(kind) if nodelay else NAGLE_INSTANCES[kind]
    shares = data.share_out(data.files(kind, per_study), associations)
    sent = sum(map(len, shares))

    def read() -> Reading:
        with contestant.running(nodelay=nodelay) as server:
            busy = machine.wait_until_quiet(plan.quiet_seconds)
            before = machine.cpu_seconds(server.roots)
            seconds = clients.send(server, shares)
            found = clients.instances(server, data.study_uids(kind))
            cpu = machine.cpu_seconds(server.roots) - before
        if found != sent:
            raise BenchmarkError(f"a query after the release finds {found} of {sent} instances")
        return Reading(value=sent / seconds, cpu_ms=1000 * cpu / sent, busy=busy)

    return read


def _memory(bench: Bench, contestants: Contestants) -> Row:
    case = Case(name=f"Memory per association, {OPEN} open", unit="KiB (PSS)", more_is_better=False)
    read = {who: partial(_rise, one) for who, one in contestants.items()}
    readings = interleaved(case.name, read, rounds=bench.plan.rounds)
    return compare(case, readings["openpacs"], readings["Orthanc"], bench.where)


def _rise(contestant: Contestant) -> Reading:
    """KiB that the server's processes grow by for each association that is open."""
    with contestant.running() as server:
        with opened(server, 1):
            pass  # the first one loads what all of them share
        before = machine.proportional_kib(server.roots)
        with opened(server, OPEN):
            after = machine.proportional_kib(server.roots)
    return Reading(value=max(1, after - before) / OPEN)


def _so_many(associations: int) -> str:
    return "1 association" if associations == 1 else f"{associations} associations"


if __name__ == "__main__":
    sys.exit(perform("store", measure))
