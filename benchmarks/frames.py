"""Frames of 524 KB over WADO-RS beside Orthanc: `python -m benchmarks.frames`.

Readers keep their connections and throw away what they get. The last case is the memory
that the server takes while twenty clients stream a large study.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import data, machine
from benchmarks.clients import Server
from benchmarks.contestants import Contestant, fill
from benchmarks.engines import Embedded
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved
from benchmarks.web import DICOM, OCTETS, ROOT, Connection, Site, instances_of, read_all

INSTANCES = 100
READERS = (1, 4)
REPEATS = {True: 2, False: 5}  # of all frames, in a quick run or not
GATE = Gate(2.5, 4)
STREAMS = 20
STREAMED = {True: 300, False: 4000}  # instances of the large study: 0.16 or 2.1 GB
BYTES_EACH = {True: 50 << 20, False: 200 << 20}  # after which a client hangs up
SAMPLE_SECONDS = 0.2

Work = Callable[[Site, Server], Reading]


def measure(bench: Bench) -> Iterator[Row]:
    quick = bench.plan.quick
    study, files = data.one_study("large", INSTANCES)
    places = _contestants(bench, "frames", study, [files])
    for readers in READERS:
        name = f"Frames, {readers} {'reader' if readers == 1 else 'readers'}"
        work = partial(_frames, study=study, readers=readers, plan=bench.plan)
        case = Case(name=name, unit="ms", more_is_better=False, gate=GATE)
        yield _row(case, places, work, bench=bench, rounds=bench.plan.rounds)
    study, files = data.one_study("large", STREAMED[quick])
    places = _contestants(bench, "streams", study, [files])
    name = f"Memory while {STREAMS} clients stream a study of {len(files)} x 530 KB"
    work = partial(_memory, study=study, most=BYTES_EACH[quick])
    case = Case(name=name, unit="MiB", more_is_better=False)
    yield _row(case, places, work, bench=bench, rounds=1)


def _contestants(
    bench: Bench, name: str, study: str, shares: list[list[Path]]
) -> dict[str, tuple[Contestant, dict[str, str]]]:
    """Both, filled, each with what it wants to be told with a request."""
    orthanc = Orthanc(bench.place(f"orthanc-{name}"))
    department = Openpacs(bench.place(f"embedded-{name}"), Embedded())
    department.prepare()
    for contestant in (department, orthanc):
        fill(contestant, [study], shares)
    cookie = {"Cookie": department.fill("session")}
    return {"openpacs": (department, cookie), "Orthanc": (orthanc, {})}


def _row(
    case: Case,
    places: dict[str, tuple[Contestant, dict[str, str]]],
    work: Work,
    *,
    bench: Bench,
    rounds: int,
) -> Row:
    read = {
        name: partial(_cell, contestant, headers, work)
        for name, (contestant, headers) in places.items()
    }
    readings = interleaved(case.name, read, rounds=rounds)
    return compare(case, readings["openpacs"], readings["Orthanc"], bench.where)


def _cell(contestant: Contestant, headers: dict[str, str], work: Work) -> Reading:
    with contestant.running(fresh=False) as server:
        return work(Site(contestant.http_port, headers), server)


def _frames(site: Site, server: Server, *, study: str, readers: int, plan: Plan) -> Reading:
    paths = [f"{one}/frames/1" for one in instances_of(site, study)]
    if len(paths) != INSTANCES:
        raise BenchmarkError(f"{len(paths)} of {INSTANCES} instances found")
    _check(site, paths[0])
    read_all(site, paths, OCTETS, readers=readers)  # whatever is loaded at the first
    busy = machine.wait_until_quiet(plan.quiet_seconds)
    before = machine.cpu_seconds(server.roots)
    repeated = paths * REPEATS[plan.quick]
    seconds = read_all(site, repeated, OCTETS, readers=readers)
    cpu = machine.cpu_seconds(server.roots) - before
    count = len(repeated)
    return Reading(value=1000 * seconds / count, cpu_ms=1000 * cpu / count, busy=busy)


def _check(site: Site, path: str) -> None:
    with Connection(site) as connection:
        body = connection.get(path, OCTETS).body
    if len(body) < data.SIDE * data.SIDE * 2:
        raise BenchmarkError(f"a frame of {len(body)} bytes")


def _memory(site: Site, server: Server, *, study: str, most: int) -> Reading:
    """What the server grows by, at most, while the clients read."""
    path = f"{ROOT}/studies/{study}"
    with Connection(site) as connection:
        connection.stream(path, DICOM, most=1 << 20)  # whatever is loaded at the first
    before = machine.proportional_kib(server.roots)
    ended = threading.Event()
    with ThreadPoolExecutor(STREAMS + 1) as pool:
        highest = pool.submit(_highest, server, ended)
        try:
            list(pool.map(lambda _: _stream(site, path, most), range(STREAMS)))
        finally:
            ended.set()
        grown = highest.result() - before
    return Reading(value=max(grown, 1) / 1024)


def _stream(site: Site, path: str, most: int) -> None:
    with Connection(site) as connection:
        if connection.stream(path, DICOM, most=most) < most:
            raise BenchmarkError("the study ended before it should")


def _highest(server: Server, ended: threading.Event) -> int:
    highest = 0
    while not ended.is_set():
        highest = max(highest, machine.proportional_kib(server.roots))
        time.sleep(SAMPLE_SECONDS)
    return highest


if __name__ == "__main__":
    sys.exit(perform("frames", measure))
