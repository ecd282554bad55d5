"""QIDO-RS beside Orthanc, with one client and with eight at once: `python -m benchmarks.qido`.

The same 10,000 studies in both; then a million instances in PostgreSQL, held against limits
in milliseconds.
"""

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks import data, machine
from benchmarks.clients import Server
from benchmarks.engines import Embedded, Engine, at_scale
from benchmarks.find import STUDIES, filled_storage
from benchmarks.made_up import MadeUp
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare, skipped
from benchmarks.rounds import Reading, Readings, interleaved_cases, say
from benchmarks.web import JSON, ROOT, Connection, Site

CLIENTS = (1, 8)
EXACT, PAGE = Gate(8, 15), Gate(15, 25)
MANY_STUDIES, PER_STUDY = 100_000, 10
Open = Callable[[], AbstractContextManager["Running"]]


@dataclass(frozen=True)
class Question:
    """`query(n)`: the address of the n-th request, another one each time."""

    query: Callable[[int], str]
    answers: int
    gate: Gate | None = None
    requests: int = 200  # of each cell; a tenth of it in a quick run

    def paths(self, plan: Plan) -> list[str]:
        count = max(self.requests // 10, 8) if plan.quick else self.requests
        return [f"{ROOT}/studies?{self.query(number)}" for number in range(count)]


def _some(number: int, studies: int = STUDIES) -> MadeUp:
    return MadeUp(number * 7919 % studies)


QUESTIONS = {
    "Exact Patient ID": Question(lambda n: f"PatientID={_some(n).patient_id}", 1, EXACT),
    "Exact accession number": Question(
        lambda n: f"AccessionNumber={_some(n).accession_number}", 1, EXACT
    ),
    "A page of 100": Question(lambda n: f"limit=100&offset={100 * (n % 3)}", 100, PAGE, 40),
    "The tenth page of 100": Question(lambda n: "limit=100&offset=900", 100, None, 40),
    "Name, Smith1*": Question(lambda n: "PatientName=Smith1*&limit=100", 100, None, 40),
    "Name, *mith1*": Question(lambda n: "PatientName=*mith1*&limit=100", 100, None, 40),
    "A year, a page of 100": Question(
        lambda n: "StudyDate=20120101-20121231&limit=100", 100, None, 40
    ),
}
# Milliseconds that 95 of 100 requests have to stay below, and what is asked.
LIMITS = {
    "Exact Patient ID": (10, Question(lambda n: f"PatientID={_many(n).patient_id}", 1)),
    "Exact accession number": (
        10,
        Question(lambda n: f"AccessionNumber={_many(n).accession_number}", 1),
    ),
    "Exact study UID": (10, Question(lambda n: f"StudyInstanceUID={_many(n).study_uid}", 1)),
    "Name, Smith1*": (60, Question(lambda n: "PatientName=Smith1*&limit=100", 100)),
    "Name, *mith15*": (60, Question(lambda n: "PatientName=*mith15*&limit=100", 100)),
    "A page of 100": (60, Question(lambda n: f"limit=100&offset={100 * (n % 9)}", 100)),
}


def _many(number: int) -> MadeUp:
    return _some(number, MANY_STUDIES)


@dataclass(frozen=True)
class Running:
    """A contestant that answers."""

    server: Server
    site: Site


def measure(bench: Bench) -> Iterator[Row]:
    orthanc = Orthanc(bench.place("orthanc"), storage=filled_storage(bench.place("filling")))
    with at_scale() as engine:
        contestants: dict[str, Open] = {
            "openpacs": _department(bench, "embedded", Embedded()),
            engine.name: _department(bench, "scaled", engine),
            "Orthanc": partial(_orthanc, orthanc),
        }
        read = {name: partial(_cells, one, bench.plan) for name, one in contestants.items()}
        found = interleaved_cases(read, cases=_names(), rounds=bench.plan.rounds)
        peer = found.pop("Orthanc")
        for who, readings in found.items():
            for name in _names():
                yield compare(_case(name, who), readings[name], peer[name], bench.where)
        yield from _with_a_million(bench, engine)


def _names() -> list[str]:
    return [_cell_name(name, clients) for name in QUESTIONS for clients in CLIENTS]


def _cell_name(question: str, clients: int) -> str:
    return f"{question}, {clients} client{'s' if clients > 1 else ''}"


def _case(name: str, who: str) -> Case:
    """The gates are for what is shipped; other engines have their figures beside it."""
    gate = QUESTIONS[name.rpartition(", ")[0]].gate if who == "openpacs" else None
    named = name if who == "openpacs" else f"{name}, {who}"
    return Case(name=named, unit="ms per answer", more_is_better=False, gate=gate)


def _department(bench: Bench, name: str, engine: Engine) -> Open:
    department = Openpacs(bench.place(name), engine)
    department.prepare()
    department.renew()
    department.fill("studies", str(STUDIES), "1", str(data.files("small", 1)[0]))
    return partial(_openpacs, department, department.fill("session"))


@contextmanager
def _openpacs(department: Openpacs, cookie: str) -> Iterator[Running]:
    with department.running(fresh=False) as server:
        yield Running(server, Site(department.http_port, {"Cookie": cookie}))


@contextmanager
def _orthanc(orthanc: Orthanc) -> Iterator[Running]:
    with orthanc.running(fresh=False) as server:
        yield Running(server, Site(orthanc.http_port))


def _cells(contestant: Open, plan: Plan) -> Mapping[str, Reading]:
    """Every question, with few and with many clients, to a contestant started once."""
    made: dict[str, Reading] = {}
    with contestant() as running:
        _wake(running.site)
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        for name, question in QUESTIONS.items():
            paths = question.paths(plan)
            _check(running.site, paths[0], question.answers)
            for clients in CLIENTS:
                made[_cell_name(name, clients)] = _cell(running, paths, clients, busy)
    return made


def _cell(running: Running, paths: Sequence[str], clients: int, busy: float) -> Reading:
    """One client: the median of its waits. Several: seconds for each answer of all of them."""
    before = machine.cpu_seconds(running.server.roots)
    seconds, waits = _ask(running.site, paths, clients)
    cpu = machine.cpu_seconds(running.server.roots) - before
    value = statistics.median(waits) if clients == 1 else seconds / len(paths)
    return Reading(value=1000 * value, cpu_ms=1000 * cpu / len(paths), busy=busy)


def _ask(site: Site, paths: Sequence[str], clients: int) -> tuple[float, list[float]]:
    """Seconds for all, and of each, over as many kept connections as there are clients."""
    ready = threading.Barrier(clients + 1)
    with ThreadPoolExecutor(clients) as pool:
        jobs = [
            pool.submit(_share, site, paths[number::clients], ready) for number in range(clients)
        ]
        ready.wait()
        began = time.perf_counter()
        waits = [wait for job in jobs for wait in job.result()]
        return time.perf_counter() - began, waits


def _share(site: Site, paths: Sequence[str], ready: threading.Barrier) -> list[float]:
    waits = []
    with Connection(site) as connection:
        connection.read(paths[0], JSON)  # a connection that the server knows
        ready.wait()
        for path in paths:
            began = time.perf_counter()
            connection.read(path, JSON)
            waits.append(time.perf_counter() - began)
    return waits


def _wake(site: Site) -> None:
    """Every thread of the server has its connection to the database afterwards."""
    # No limit of 0: others take that for none.
    paths = [f"{ROOT}/studies?limit={number % 50 + 1}" for number in range(20 * max(CLIENTS))]
    _ask(site, paths, max(CLIENTS))


def _check(site: Site, path: str, answers: int) -> None:
    with Connection(site) as connection:
        found = len(json.loads(connection.get(path, JSON).body))
    if found != answers:
        raise BenchmarkError(f"{path}: {found} answers instead of {answers}")


def _with_a_million(bench: Bench, engine: Engine) -> Iterator[Row]:
    instances = MANY_STUDIES * PER_STUDY
    cases = {name: _limit_case(name, limit, instances) for name, (limit, _) in LIMITS.items()}
    if bench.plan.quick:
        for case in cases.values():
            yield skipped(case, "it takes minutes; run it without QUICK=1", bench.where)
        return
    department = Openpacs(bench.place("million"), engine, database="million")
    department.prepared = bench.folder / "scaled" / "prepared"
    department.renew()
    say(f"Filling the index with {instances:,} instances")
    template = str(data.files("small", 1)[0])
    department.fill("studies", str(MANY_STUDIES), str(PER_STUDY), template)
    opened = partial(_openpacs, department, department.fill("session"))
    read = {"openpacs": partial(_limit_cells, opened, bench.plan)}
    found = interleaved_cases(read, cases=LIMITS, rounds=bench.plan.rounds)["openpacs"]
    for name, (limit, _) in LIMITS.items():
        ours = found[name]
        bound = Readings([Reading(value=limit)] * len(ours.rounds))
        yield compare(cases[name], ours, bound, bench.where)


def _limit_case(name: str, limit: int, instances: int) -> Case:
    named = f"{name}, {instances:,} instances, p95 held against {limit} ms"
    return Case(name=named, unit="ms", more_is_better=False, gate=Gate(1, 2))


def _limit_cells(contestant: Open, plan: Plan) -> Mapping[str, Reading]:
    made: dict[str, Reading] = {}
    with contestant() as running:
        _wake(running.site)
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        for name, (_, question) in LIMITS.items():
            paths = question.paths(plan)
            _check(running.site, paths[0], question.answers)
            _, waits = _ask(running.site, paths, 1)
            worst = statistics.quantiles(waits, n=20)[-1]
            made[name] = Reading(value=1000 * worst, busy=busy)
    return made


if __name__ == "__main__":
    sys.exit(perform("qido", measure))
