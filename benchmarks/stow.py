"""STOW-RS beside Orthanc: `python -m benchmarks.stow`.

Large instances, ten in a request, and small ones, twenty in a request, from one client and
from four that keep their connections.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks import clients, data, machine
from benchmarks.clients import Server
from benchmarks.engines import Embedded, at_scale
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs, wait_until_settled
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved
from benchmarks.web import ROOT, Connection, Site

KINDS = {"large": "CT 530 KB, 10 in a request", "small": "CT/MR 10-39 KB, 20 in a request"}
PER_REQUEST = {"large": 10, "small": 20}
# Of each of the eight studies: the requests are made beforehand and held in memory.
PER_STUDY = {"large": 50, "small": 200}
PER_STUDY_QUICK = {"large": 10, "small": 20}
CLIENTS = (1, 4)
AT_SCALE = 4  # clients that the larger engine is compared with
GATE = Gate(1.5, 3.0)
BOUNDARY = "0123456789abcdef"
RELATED = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
TOKEN = "t" * 32  # of the pages: the same in the cookie and in the header
Open = Callable[[], AbstractContextManager[tuple[Server, Site]]]


def measure(bench: Bench) -> Iterator[Row]:
    with at_scale() as engine:
        embedded = Openpacs(bench.place("embedded"), Embedded())
        scaled = Openpacs(bench.place("scaled"), engine)
        for department in (embedded, scaled):
            department.prepare()
        orthanc = Orthanc(bench.place("orthanc"))
        both: dict[str, Open] = {
            "openpacs": partial(_openpacs, embedded),
            "Orthanc": partial(_orthanc, orthanc),
        }
        for kind, count in product(KINDS, CLIENTS):
            # The larger engine is compared at one number of clients: it is not gated.
            more: dict[str, Open] = {engine.name: partial(_openpacs, scaled)}
            yield from _rates(bench, kind, count, both | (more if count == AT_SCALE else {}))


@contextmanager
def _openpacs(department: Openpacs) -> Iterator[tuple[Server, Site]]:
    department.renew()
    cookie = f"{department.fill('session')}; csrftoken={TOKEN}"
    with department.running(fresh=False) as server:
        yield server, Site(department.http_port, {"Cookie": cookie, "X-CSRFToken": TOKEN})


@contextmanager
def _orthanc(orthanc: Orthanc) -> Iterator[tuple[Server, Site]]:
    with orthanc.running() as server:
        yield server, Site(orthanc.http_port)


def _rates(bench: Bench, kind: str, count: int, contestants: dict[str, Open]) -> Iterator[Row]:
    name = f"{KINDS[kind]}, {count} client{'s' if count > 1 else ''}"
    read = {who: partial(_cell, one, kind, count, bench.plan) for who, one in contestants.items()}
    readings = interleaved(name, read, rounds=bench.plan.rounds)
    orthanc = readings.pop("Orthanc")
    case = Case(name=name, unit="instances/s", gate=GATE)
    yield compare(case, readings.pop("openpacs"), orthanc, bench.where)
    for engine, reached in readings.items():
        yield compare(
            Case(name=f"{name}, {engine}", unit="instances/s"), reached, orthanc, bench.where
        )


def _cell(contestant: Open, kind: str, count: int, plan: Plan) -> Reading:
    files = data.files(kind, (PER_STUDY_QUICK if plan.quick else PER_STUDY)[kind])
    shares = [
        [_body(some) for some in _requests(share, PER_REQUEST[kind])]
        for share in data.share_out(files, count)
    ]
    with contestant() as (server, site):
        wait_until_settled(server.roots)
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        before = machine.cpu_seconds(server.roots)
        seconds = _send(site, shares)
        cpu = machine.cpu_seconds(server.roots) - before
        found = clients.instances(server, data.study_uids(kind))
    if found != len(files):
        raise BenchmarkError(f"a query finds {found} of {len(files)} instances")
    return Reading(value=len(files) / seconds, cpu_ms=1000 * cpu / len(files), busy=busy)


def _requests(share: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    for start in range(0, len(share), size):
        yield share[start : start + size]


def _body(files: Sequence[Path]) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    parts = [head + path.read_bytes() + b"\r\n" for path in files]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _send(site: Site, shares: Sequence[Sequence[bytes]]) -> float:
    """Every share over a connection of its own, all at once; seconds it took."""
    with ThreadPoolExecutor(len(shares)) as pool:
        ready = threading.Barrier(len(shares) + 1)
        jobs = [pool.submit(_send_share, site, share, ready) for share in shares]
        ready.wait()
        began = time.perf_counter()
        for job in jobs:
            job.result()
        return time.perf_counter() - began


def _send_share(site: Site, share: Sequence[bytes], ready: threading.Barrier) -> None:
    with Connection(site) as connection:
        ready.wait()
        for body in share:
            connection.post(f"{ROOT}/studies", RELATED, body)


if __name__ == "__main__":
    sys.exit(perform("stow", measure))
