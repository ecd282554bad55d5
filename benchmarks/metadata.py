"""WADO-RS metadata of a series of 500 instances beside Orthanc: `python -m benchmarks.metadata`.

Opened: the first request that anybody makes for them, of a complete study. Stored: any later
one. Nothing kept: while a study is coming in, or when its metadata are lost. Orthanc of the
distribution keeps nothing, it reads the files each time.
"""

import gzip
import json
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import data, machine
from benchmarks.clients import Server
from benchmarks.contestants import fill
from benchmarks.engines import Embedded
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs, wait_until_settled
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved
from benchmarks.web import JSON, ROOT, Connection, Site

INSTANCES = 500
FIRST, STORED = Gate(50, 100), Gate(200, 300)
WAKING = 100  # requests
REPEATS = {"opened": 1, "stored": 30, "nothing": 3, "Orthanc": 3}
# What viewers and browsers ask for, and what scripts often do.
CASES: dict[str, tuple[str, str, Gate | None]] = {
    "First request of a complete study": ("opened", "gzip", FIRST),
    "Stored": ("stored", "gzip", STORED),
    "Stored, not compressed": ("stored", "identity", None),
    "Nothing kept": ("nothing", "gzip", None),
    "Nothing kept, not compressed": ("nothing", "identity", None),
}


def measure(bench: Bench) -> Iterator[Row]:
    study, series, files = data.one_series(INSTANCES)
    path = f"{ROOT}/studies/{study}/series/{series}/metadata"
    orthanc = Orthanc(bench.place("orthanc"))
    department = Openpacs(bench.place("embedded"), Embedded())
    department.prepare()
    for contestant in (department, orthanc):
        fill(contestant, [study], [files])
    cookie = {"Cookie": department.fill("session")}
    for name, (state, coding, gate) in CASES.items():
        read = {
            "openpacs": partial(
                _our_cell, department, path, bench.plan, cookie=cookie, state=state, coding=coding
            ),
            "Orthanc": partial(_orthanc_cell, orthanc, path, coding, bench.plan),
        }
        readings = interleaved(name, read, rounds=bench.plan.rounds)
        case = Case(name=name, unit="ms", more_is_better=False, gate=gate)
        yield compare(case, readings["openpacs"], readings["Orthanc"], bench.where)


def _our_cell(
    department: Openpacs, path: str, plan: Plan, *, cookie: dict[str, str], state: str, coding: str
) -> Reading:
    department.fill("metadata", "keep")
    with department.running(fresh=False) as server:
        site = Site(department.http_port, cookie)
        if state == "opened":
            _wake(site)
        else:
            _check(site, path, coding)  # whatever is loaded at the first
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        seconds, cpu = [], 0.0
        for _ in range(REPEATS[state]):
            if state == "nothing":
                department.fill("metadata", "forget")
                wait_until_settled(server.roots)
            spent, took = _timed(server, site, path, coding)
            seconds.append(took)
            cpu += spent
    return _reading(seconds, cpu, busy)


def _wake(site: Site) -> None:
    """Have every thread of the server connected to the database, by asking for something else."""
    for number in range(WAKING):
        with Connection(site) as connection:
            connection.read(f"{ROOT}/studies?limit={number % 50 + 1}", JSON)


def _orthanc_cell(orthanc: Orthanc, path: str, coding: str, plan: Plan) -> Reading:
    with orthanc.running(fresh=False) as server:
        site = Site(orthanc.http_port)
        _check(site, path, coding)
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        timed = [_timed(server, site, path, coding) for _ in range(REPEATS["Orthanc"])]
    return _reading([took for _, took in timed], sum(spent for spent, _ in timed), busy)


def _timed(server: Server, site: Site, path: str, coding: str) -> tuple[float, float]:
    """Seconds of the server's processors, and those that went by.

    On a connection of its own: Orthanc closes one after a second of silence.
    """
    with Connection(site) as connection:
        before = machine.cpu_seconds(server.roots)
        began = time.perf_counter()
        connection.read(path, JSON, **{"Accept-Encoding": coding})
        took = time.perf_counter() - began
    return machine.cpu_seconds(server.roots) - before, took


def _reading(seconds: list[float], cpu: float, busy: float) -> Reading:
    return Reading(
        value=1000 * statistics.median(seconds), cpu_ms=1000 * cpu / len(seconds), busy=busy
    )


def _check(site: Site, path: str, coding: str) -> None:
    with Connection(site) as connection:
        answer = connection.get(path, JSON, **{"Accept-Encoding": coding})
    gzipped = answer.headers.get("content-encoding") == "gzip"
    rows = json.loads(gzip.decompress(answer.body) if gzipped else answer.body)
    if len(rows) != INSTANCES or gzipped != (coding == "gzip"):
        raise BenchmarkError(f"metadata of {len(rows)} instances, {coding}: {gzipped}")


if __name__ == "__main__":
    sys.exit(perform("metadata", measure))
